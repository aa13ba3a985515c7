import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { resourceIdOf } from "../../src/base/ids.ts";
import { PEER_A, PEER_B } from "../support/peers.ts";
import { append, closed, desired, inboundRefused, opened, openFailed, rejected, removed } from "./support/events.ts";
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

  it("tells how long a stream was open, unless its opening is missing or the clock jumped back", () => {
    using temporary = new TemporaryStore();
    const { store, clock } = temporary;
    store.appendObserved(closed(PEER_A));
    store.appendObserved(opened(PEER_A));
    clock.stall(12_345);
    store.appendObserved(closed(PEER_A));
    store.appendObserved(opened(PEER_A, "inbound"));
    clock.stall(-5_000);
    store.appendObserved(closed(PEER_A, { direction: "inbound", reason: "reset" }));
    expect(summaries(temporary)).toEqual([
      "outbound stream closed: expired",
      "outbound stream opened",
      "outbound stream closed after 12.3 s: expired",
      "inbound stream opened",
      "inbound stream closed after 0.0 s: reset",
    ]);
    expect(temporary.read("select duration_ms from stream_sessions")).toEqual([{ duration_ms: 12_345 }, { duration_ms: 0 }]);
  });

  it("has a sentence for every row, whatever fields are missing", () => {
    using temporary = new TemporaryStore();
    append(temporary.store, desired({ name: null, resourceId: null, address: null }));
    append(temporary.store, rejected());
    temporary.store.appendObserved(inboundRefused(PEER_B));
    temporary.store.appendObserved(inboundRefused(PEER_B));
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
    expect(temporary.read("select payload_encoding, payload, payload_bytes, source, subject from rejected_events")).toEqual([
      {
        payload_encoding: encoding,
        payload: shown,
        payload_bytes: payload.byteLength,
        source: "oc-api",
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
    store.appendObserved(openFailed(PEER_A));
    clock.stall(2_000);
    store.appendObserved(openFailed(PEER_A));
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
    store.appendObserved(opened(PEER_A));
    expect(temporary.read(failing)).toEqual([
      { error_code: null, error_count: 0, error_since: null, error_at: null, outbound_seq: 3 },
    ]);
    store.appendObserved(inboundRefused(PEER_B));
    expect(
      temporary.read("select name, relation, refusal_code, refusal_count from peer_status where peer_id = ?", PEER_B),
    ).toEqual([{ name: null, relation: null, refusal_code: "not_partner", refusal_count: 1 }]);
  });
});
