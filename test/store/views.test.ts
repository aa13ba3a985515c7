import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { resourceIdOf } from "../../src/base/ids.ts";
import { statementFor } from "../../src/store/past/peers-sql.ts";
import { PEER_A, PEER_B } from "../support/peers.ts";
import {
  append,
  closed,
  desired,
  inboundRefused,
  learned,
  observe,
  opened,
  openFailed,
  rejected,
  removed,
} from "./support/events.ts";
import { TemporaryStore } from "./support/temporary-store.ts";

describe("times", () => {
  it("match JavaScript's, to the millisecond", () => {
    using temporary = new TemporaryStore();
    const view = "strftime('%Y-%m-%dT%H:%M:%fZ', ? / 1000.0, 'unixepoch') as at";
    fc.assert(
      fc.property(fc.date({ min: new Date("1970-01-01"), max: new Date("9999-12-31"), noInvalidDate: true }), (date) => {
        expect(temporary.read(`select ${view}`, date.getTime())).toEqual([{ at: date.toISOString() }]);
      }),
      { numRuns: 200 },
    );
    append(temporary.store, desired());
    const at = new Date(temporary.clock.wallMs()).toISOString();
    expect(temporary.read("select at from peer_history")).toEqual([{ at }]);
    expect(temporary.read("select since from desired_peers")).toEqual([{ since: at }]);
  });
});

describe("peer_history", () => {
  const summaries = (temporary: TemporaryStore) =>
    temporary.read("select summary from peer_history").map(({ summary }) => summary);

  it("describes every desired event", () => {
    using temporary = new TemporaryStore();
    append(temporary.store, desired());
    append(temporary.store, desired());
    append(temporary.store, desired({ relation: "UNKNOWN(7)", standing: "revoked", source: "oc-shared" }));
    append(temporary.store, desired({ relation: "BLACKLIST", standing: "blacklisted" }));
    append(temporary.store, removed());
    append(temporary.store, removed());
    append(temporary.store, removed({ peerId: null, resourceId: resourceIdOf("never-seen") }));
    expect(summaries(temporary)).toEqual([
      "desired as PARTNER by oc-api",
      "desired as PARTNER by oc-api, nothing changed",
      "not desired (relation UNKNOWN(7)) by oc-shared",
      "blacklisted (relation BLACKLIST) by oc-api",
      "removed by oc-api",
      "removed by oc-api, nothing changed",
      expect.stringMatching(/^rejected: peer_unknown: .*never-seen/),
    ]);
  });

  it("says how long a stream was open by the clock that measured it, also if the wall clock was set back", () => {
    using temporary = new TemporaryStore();
    const { store, clock } = temporary;
    observe(store, opened(PEER_A));
    observe(store, closed(PEER_A, { durationMs: 12_345 }));
    observe(store, opened(PEER_A, "inbound"));
    clock.stall(-5_000);
    observe(store, closed(PEER_A, { direction: "inbound", reason: "daemon_restart", durationMs: 60_000, durationClock: "wall" }));
    expect(summaries(temporary)).toEqual([
      "outbound stream opened",
      "outbound stream closed after 12.3 s: expired",
      "inbound stream opened",
      "inbound stream closed after 60.0 s (wall clock): daemon_restart",
    ]);
    expect(temporary.read("select duration_ms, duration_clock from session_periods order by valid_from_seq")).toEqual([
      { duration_ms: 12_345, duration_clock: "monotonic" },
      { duration_ms: 60_000, duration_clock: "wall" },
    ]);
  });

  it("marks the user as claimed by the app", () => {
    using temporary = new TemporaryStore();
    append(temporary.store, desired({ claimedUser: "anna" }));
    append(temporary.store, removed({ claimedUser: "ben", source: null as never }));
    expect(summaries(temporary)).toEqual([
      "desired as PARTNER by oc-api (claims user anna)",
      "removed by an unknown app (claims user ben)",
    ]);
  });

  it("quotes an app or a user whose name would read as a part of the sentence", () => {
    using temporary = new TemporaryStore();
    append(temporary.store, desired({ claimedUser: "zoe) by root (claims user admin", source: "x by oc-api" as never }));
    expect(summaries(temporary)).toEqual(['desired as PARTNER by "x by oc-api" (claims user "zoe) by root (claims user admin")']);
  });

  it("quotes an app that calls itself oc-partnerd, one without a name, and a relation or resource id that reads on", () => {
    using temporary = new TemporaryStore();
    const { store } = temporary;
    append(store, desired({ source: "oc-partnerd" as never, resourceId: "r1, harmless" as never }));
    append(store, desired({ source: "" as never, relation: "NONE) BY OC-API (CLAIMS", standing: "revoked" }));
    append(store, desired({ peerId: PEER_B, source: "x by y" as never, resourceId: "r1, harmless" as never }));
    expect(summaries(temporary)).toEqual([
      'desired as PARTNER by "oc-partnerd"',
      'not desired (relation "NONE) BY OC-API (CLAIMS") by ""',
      'desired as PARTNER by "x by y"',
    ]);
    append(store, desired({ resourceId: "r2, harmless" as never }));
    append(store, desired({ peerId: PEER_B, source: "x by y" as never, resourceId: "r2, harmless" as never }));
    expect(summaries(temporary)).toContain(`no longer desired: its resource "r2, harmless" was given to ${PEER_B} by "x by y"`);
  });

  it("quotes text with a NUL, at which GLOB stops and a sentence does not", () => {
    using temporary = new TemporaryStore();
    const { store } = temporary;
    const resourceId = "r1\0\u001b[31m" as never;
    append(
      store,
      desired({
        source: "oc-partnerd\0\u001b[31m" as never,
        claimedUser: "anna\0) by b",
        relation: "PARTNER\0 by c",
        resourceId,
      }),
    );
    append(store, desired({ peerId: PEER_B, resourceId }));
    observe(store, learned(PEER_B, { agent: "go-oc\0\u001b[31m, challenge passed", heartbeatFields: null, challenge: null }));
    expect(summaries(temporary)).toEqual([
      'desired as "PARTNER\\u0000 by c" by "oc-partnerd\\u0000\\u001b[31m" (claims user "anna\\u0000) by b")',
      "desired as PARTNER by oc-api",
      `no longer desired: its resource "r1\\u0000\\u001b[31m" was given to ${PEER_B} by oc-api`,
      'its program: "go-oc\\u0000\\u001b[31m, challenge passed"',
    ]);
  });

  it("says nothing of protocols if none are known, and counts them otherwise", () => {
    using temporary = new TemporaryStore();
    const { store } = temporary;
    append(store, desired());
    for (const protocols of [null, [], ["/a"], ["/a", "/b"]])
      observe(store, learned(PEER_A, { protocols, heartbeatFields: null, challenge: null }));
    expect(summaries(temporary).slice(1)).toEqual([
      "its program: go-oc-discovery/1.4",
      "its program: go-oc-discovery/1.4, 0 protocols",
      "its program: go-oc-discovery/1.4, 1 protocol",
      "its program: go-oc-discovery/1.4, 2 protocols",
    ]);
  });

  it("has a sentence for every row, whatever fields are missing", () => {
    using temporary = new TemporaryStore();
    append(temporary.store, desired({ name: null, resourceId: null, address: null }));
    append(temporary.store, rejected());
    observe(temporary.store, inboundRefused(PEER_B));
    observe(temporary.store, inboundRefused(PEER_B));
    expect(temporary.read("select seq, peer_id, name from peer_history where summary is null or summary = ''")).toEqual([]);
    expect(temporary.read("select count(*) as rows from peer_history")).toEqual([{ rows: 3 }]);
  });
});

describe("relation_changes", () => {
  it("has only effective changes, each with the previous relation", () => {
    using temporary = new TemporaryStore();
    const { store } = temporary;
    append(store, desired());
    append(store, desired());
    append(store, desired({ name: "renamed" }));
    append(store, desired({ peerId: PEER_B }));
    append(store, desired({ relation: "NONE", standing: "revoked", resourceId: null }));
    append(store, removed());
    expect(temporary.read("select seq, peer_id, previous_relation as was, relation as became from relation_changes")).toEqual([
      { seq: 1, peer_id: PEER_A, was: null, became: "PARTNER" },
      { seq: 4, peer_id: PEER_A, was: "PARTNER", became: "SUPERSEDED" },
      { seq: 4, peer_id: PEER_B, was: null, became: "PARTNER" },
      { seq: 5, peer_id: PEER_A, was: "SUPERSEDED", became: "NONE" },
      { seq: 6, peer_id: PEER_A, was: "NONE", became: "REMOVED" },
    ]);
  });
});

describe("rejected_events", () => {
  it.each([
    ["text", Buffer.from('{"é": "no" '), "utf8", '{"é": "no" '],
    ["hexadecimal if it is not UTF-8", Buffer.from([0xff, 0x00]), "hex", "FF00"],
    ["hexadecimal if it contains a NUL", Buffer.from("a\0b"), "hex", "610062"],
    ["nothing if it is empty", Buffer.alloc(0), "utf8", ""],
  ])("shows the payload as %s", (_, payload, encoding, shown) => {
    using temporary = new TemporaryStore();
    append(temporary.store, rejected({ source: "oc-api" }), { payload });
    expect(temporary.read("select payload_encoding, payload, payload_bytes, app, subject from rejected_events")).toEqual([
      {
        payload_encoding: encoding,
        payload: shown,
        payload_bytes: payload.byteLength,
        app: "oc-api",
        subject: "CREATE_RESOURCE",
      },
    ]);
  });
});

describe("peer_status", () => {
  it("has every peer that was desired or seen, with its current state", () => {
    using temporary = new TemporaryStore();
    const { store, clock } = temporary;
    append(store, desired());
    const since = new Date(clock.wallMs()).toISOString();
    observe(store, openFailed(PEER_A));
    clock.stall(2_000);
    observe(store, openFailed(PEER_A));
    const failing = "select error_code, error_count, error_since, error_at, outbound_seq from peer_status where name = 'lyon-1'";
    expect(temporary.read(failing)).toEqual([
      {
        error_code: "timeout",
        error_count: 2,
        error_since: since,
        error_at: new Date(clock.wallMs()).toISOString(),
        outbound_seq: null,
      },
    ]);
    observe(store, opened(PEER_A));
    expect(temporary.read(failing)).toEqual([
      { error_code: null, error_count: 0, error_since: null, error_at: null, outbound_seq: 3 },
    ]);
    observe(store, inboundRefused(PEER_B));
    expect(
      temporary.read("select name, relation, refusal_code, refusal_count from peer_status where peer_id = ?", PEER_B),
    ).toEqual([{ name: null, relation: null, refusal_code: "not_partner", refusal_count: 1 }]);
  });
});

describe("questions about one peer or one moment", () => {
  const AS_OF = "valid_from_ms <= 5 and (valid_to_ms is null or valid_to_ms > 5)";

  /** The tables that a query reads row by row; a lookup by an index, and a table of archives, costs nothing. */
  const scanned = (temporary: TemporaryStore, query: string) =>
    temporary
      .read(`explain query plan ${query}`)
      .map(({ detail }) => String(detail))
      .filter((detail) => /^(SCAN|SEARCH) (event_log|opened|closed|failed|later|next|log)\b/.test(detail))
      .filter(
        (detail) =>
          !/ USING (COVERING )?INDEX .*\((\w+=\? AND )?(peer_id|superseded_peer_id|opened_seq|seq|at_ms)[=>]|PRIMARY KEY \(rowid=/.test(
            detail,
          ),
      );

  it.each([
    `select * from standing_periods where peer_id = 'x' and ${AS_OF}`,
    `select * from session_periods where peer_id = 'x' and ${AS_OF}`,
    "select * from partner_periods where peer_id = 'x'",
    "select * from outage_periods where peer_id = 'x'",
    "select * from uptime_daily where peer_id = 'x' and day between '2026-01-01' and '2026-01-31'",
  ])("are answered from an index: %s", (query) => {
    using temporary = new TemporaryStore();
    expect(scanned(temporary, query)).toEqual([]);
  });

  it("are answered from an index by --as-of, about one peer and about all", () => {
    using temporary = new TemporaryStore();
    for (const peers of ["select 'x' as peer_id", "select peer_id from desired_peer"]) {
      const details = temporary.read(`explain query plan ${statementFor(peers).replaceAll(":seq", "5")}`);
      const rows = details
        .map(({ detail }) => String(detail))
        .filter((detail) => /^(SCAN|SEARCH) (event_log|desired|own)\b/.test(detail));
      expect(rows.length).toBeGreaterThan(10);
      expect(
        rows.filter((detail) => !/USING (COVERING )?INDEX \w+ \(.*(peer_id|opened_seq)=\?|PRIMARY KEY \(rowid=\?/.test(detail)),
      ).toEqual([]);
    }
  });

  it("find the row in force at a time from an index", () => {
    using temporary = new TemporaryStore();
    const [first] = temporary.read(
      "explain query plan select seq from events where at_ms <= 5 order by at_ms desc, seq desc limit 1",
    );
    expect(first?.["detail"]).toBe("SEARCH log USING INDEX event_log_at_ms (at_ms<?)");
  });

  it("about all peers read only the rows that began a period", () => {
    using temporary = new TemporaryStore();
    const details = temporary
      .read(`explain query plan select * from standing_periods where ${AS_OF}`)
      .map(({ detail }) => detail);
    expect(details).toContainEqual(expect.stringMatching(/event_log USING (COVERING )?INDEX event_log_generation/));
    expect(details).not.toContainEqual(expect.stringMatching(/^SCAN event_log$/));
  });
});
