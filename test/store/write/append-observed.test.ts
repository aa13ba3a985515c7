import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { PeerId } from "../../../src/base/ids.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import type { LogEntry } from "../../../src/store/model/log-entry.ts";
import { OWN_SOURCE } from "../../../src/store/model/log-entry.ts";
import { openStore } from "../../../src/store/store.ts";
import { PEER_A, PEER_B } from "../../support/peers.ts";
import { append, closed, desired, inboundRefused, observe, opened, openFailed, PROTOCOL, start } from "../support/events.ts";
import { rawConnection, TemporaryStore, temporaryDirectory } from "../support/temporary-store.ts";

const OTHER_PROTOCOL = "/opencloud/resource/heartbeat/partner/2.0";

function rowOf(answer: LogEntry | "repeated"): LogEntry {
  if (typeof answer === "string") throw new Error(`expected a new row, got ${answer}`);
  return answer;
}

describe("a StreamClosed", () => {
  it("names the StreamOpened that it closes: same peer, protocol and direction", () => {
    using temporary = new TemporaryStore();
    const { store } = temporary;
    append(store, desired());
    const events = [opened(PEER_A), opened(PEER_A, "inbound"), opened(PEER_A, "outbound", OTHER_PROTOCOL), opened(PEER_B)];
    for (const event of events) observe(store, event);
    expect(rowOf(observe(store, closed(PEER_A)))).toMatchObject({ seq: 6, causeSeq: 1, openedSeq: 2, source: OWN_SOURCE });
    expect(rowOf(observe(store, closed(PEER_A, { direction: "inbound" })))).toMatchObject({ causeSeq: 1, openedSeq: 3 });
    expect(store.status(PEER_A)?.openStreams).toEqual([
      {
        seq: 4,
        protocol: OTHER_PROTOCOL,
        direction: "outbound",
        openedAtMs: temporary.clock.wallMs(),
        causeSeq: 1,
        attempt: "1.1",
      },
    ]);
    expect(rowOf(observe(store, closed(PEER_A)))).toMatchObject({ causeSeq: 1, openedSeq: null });
    expect(rowOf(observe(store, closed(PEER_B)))).toMatchObject({ causeSeq: null, openedSeq: 5 });
  });

  it.each([
    ["before", [closed(PEER_A, { reason: "replaced" }), opened(PEER_A)]],
    ["after", [opened(PEER_A), closed(PEER_A, { reason: "replaced" })]],
  ])("of a replaced stream closes the older one if it is reported %s the newer one opened", (_, events) => {
    using temporary = new TemporaryStore();
    const { store } = temporary;
    observe(store, opened(PEER_A));
    const rows = events.map((event) => rowOf(observe(store, event)));
    expect(rows.find(({ event }) => event.type === "StreamClosed")?.openedSeq).toBe(1);
    expect(store.status(PEER_A)?.openStreams).toHaveLength(1);
    expect(store.status(PEER_A)?.openStreams[0]?.seq).not.toBe(1);
  });
});

describe("a failure", () => {
  it("keeps how the stream ended and the name of the error apart from its text", () => {
    using temporary = new TemporaryStore();
    const details = { streamEnd: "reset", errorName: "StreamResetError" } as const;
    observe(temporary.store, openFailed(PEER_A, { reason: "refused", message: "the peer closed", details }));
    expect(temporary.read("select summary from peer_history")).toEqual([
      { summary: "outbound stream failed to open: refused: the peer closed (reset)" },
    ]);
    const facts = "select details ->> '$.streamEnd' as streamEnd, details ->> '$.errorName' as errorName from events";
    expect(temporary.read(facts)).toEqual([details]);
  });

  it("equal to the previous one is counted, not logged", () => {
    using temporary = new TemporaryStore();
    const { store, clock } = temporary;
    expect(rowOf(observe(store, openFailed(PEER_A))).seq).toBe(1);
    clock.advanceSync(1_000);
    expect(observe(store, openFailed(PEER_A, { message: "no answer within 11 s" }))).toBe("repeated");
    clock.advanceSync(1_000);
    expect(observe(store, openFailed(PEER_A))).toBe("repeated");
    expect(store.head().seq).toBe(1);
    expect(temporary.read("select first_seq, count, last_at_ms from repeated_failures")).toEqual([
      { first_seq: 1, count: 2, last_at_ms: clock.wallMs() },
    ]);
  });

  it("is counted once, however often the disk was full", () => {
    using directory = temporaryDirectory();
    const clock = new VirtualClock();
    let isFull = false;
    const beforeCommit = () => {
      if (isFull) throw new Database.SqliteError("database or disk is full", "SQLITE_FULL");
    };
    using store = openStore({ directory: directory.path, clock, commitHooks: { beforeCommit, afterCommit: () => {} } });
    for (let failure = 0; failure < 5; failure++) observe(store, openFailed(PEER_A));
    isFull = true;
    expect(() => observe(store, openFailed(PEER_B))).toThrow("full");
    clock.advanceSync(1_000);
    expect(() => observe(store, openFailed(PEER_A))).toThrow("full");
    isFull = false;
    clock.advanceSync(1_000);
    observe(store, openFailed(PEER_A));
    using raw = rawConnection(`${directory.path}/oc-partnerd.db`, { readonly: true });
    expect(raw.database.prepare("select count from repeated_failures").pluck().all()).toEqual([5]);
  });

  it("in a flood is written once a second, and no count is lost", () => {
    using temporary = new TemporaryStore();
    const { store, clock } = temporary;
    const written = () => temporary.read("select count from repeated_failures")[0]?.["count"];
    observe(store, inboundRefused(PEER_A));
    for (let refusal = 0; refusal < 100; refusal++) observe(store, inboundRefused(PEER_A));
    expect(written()).toBe(1);
    clock.advanceSync(1_000);
    observe(store, inboundRefused(PEER_A));
    expect(written()).toBe(101);
    observe(store, inboundRefused(PEER_A));
    observe(store, openFailed(PEER_B));
    expect(written()).toBe(102);
    observe(store, inboundRefused(PEER_A));
    temporary.reopen();
    expect(written()).toBe(103);
  });

  it.each([
    ["another reason", () => openFailed(PEER_A, { reason: "refused" })],
    ["another peer", () => openFailed(PEER_B)],
    ["a refusal with the same reason", () => inboundRefused(PEER_A, { reason: "timeout" })],
  ])("with %s is logged", (_, next) => {
    using temporary = new TemporaryStore();
    observe(temporary.store, openFailed(PEER_A));
    expect(rowOf(observe(temporary.store, next())).seq).toBe(2);
  });

  it("is logged again after an outbound stream was open, but not after an inbound one", () => {
    using temporary = new TemporaryStore();
    const { store } = temporary;
    observe(store, openFailed(PEER_A));
    observe(store, opened(PEER_A, "inbound"));
    expect(observe(store, openFailed(PEER_A))).toBe("repeated");
    observe(store, opened(PEER_A));
    expect(store.status(PEER_A)?.lastError).toBeNull();
    expect(rowOf(observe(store, openFailed(PEER_A))).seq).toBe(4);
  });

  it("of an inbound stream is logged again after one was open, but not after an outbound one", () => {
    using temporary = new TemporaryStore();
    const { store } = temporary;
    observe(store, inboundRefused(PEER_A));
    observe(store, opened(PEER_A));
    expect(observe(store, inboundRefused(PEER_A))).toBe("repeated");
    observe(store, opened(PEER_A, "inbound"));
    expect(store.status(PEER_A)?.lastRefusal).toBeNull();
    expect(rowOf(observe(store, inboundRefused(PEER_A))).seq).toBe(4);
  });

  it("is forgotten in a new generation, of the peer itself or of the one that it superseded", () => {
    using temporary = new TemporaryStore();
    const { store } = temporary;
    append(store, desired());
    observe(store, openFailed(PEER_A));
    observe(store, inboundRefused(PEER_A));
    append(store, desired({ name: "renamed" }));
    expect(store.status(PEER_A)).toMatchObject({ lastError: { code: "timeout" }, lastRefusal: { code: "not_partner" } });
    append(store, desired({ relation: "NONE", standing: "revoked" }));
    expect(store.status(PEER_A)).toMatchObject({ lastError: null, lastRefusal: null });
    append(store, desired());
    observe(store, openFailed(PEER_A));
    append(store, desired({ peerId: PEER_B }));
    expect(store.status(PEER_A)?.lastError).toBeNull();
    expect(store.verifyProjections()).toEqual([]);
  });
});

describe("an EventsSuppressed", () => {
  const counts = [
    { type: "InboundRefused", reason: "not_partner", events: 40 },
    { type: "StreamOpened", reason: null, events: 2 },
  ] as const;

  it("of strangers keeps its counts as facts, changes no status, and has a sentence", () => {
    using temporary = new TemporaryStore();
    const { store } = temporary;
    const event = {
      type: "EventsSuppressed",
      peerId: null,
      reason: null,
      durationMs: 60_000,
      details: { events: 42, peers: 41, counts },
    } as const;
    expect(rowOf(store.appendObserved({ event, causeSeq: null }))).toMatchObject({ seq: 1, causeSeq: null, event });
    expect(temporary.read("select summary, peer_id from peer_history")).toEqual([
      {
        summary: "42 events of 41 strangers counted, not logged, within 60.0 s: 40 InboundRefused not_partner, 2 StreamOpened",
        peer_id: null,
      },
    ]);
    expect(store.statuses()).toEqual([]);
    expect(store.verifyProjections()).toEqual([]);
  });

  it("of a known peer is in its history", () => {
    using temporary = new TemporaryStore();
    const { store } = temporary;
    append(store, desired());
    const [refused] = counts;
    const details = { events: 1, peers: 1, counts: [{ ...refused, events: 1 }] };
    const event = { type: "EventsSuppressed", peerId: PEER_A, reason: null, durationMs: 1_500, details } as const;
    store.appendObserved({ event, causeSeq: 1 });
    expect(store.history(PEER_A, { limit: 1 })).toMatchObject([{ causeSeq: 1, event }]);
    expect(temporary.read("select summary from peer_history where seq = 2")).toEqual([
      { summary: "1 event counted, not logged, within 1.5 s: 1 InboundRefused not_partner" },
    ]);
  });
});

describe("sessions left open by a crash", () => {
  it("are closed at startup, once, each with its own StreamOpened and the time of the last sign of life", () => {
    using temporary = new TemporaryStore();
    observe(temporary.store, opened(PEER_A));
    observe(temporary.store, opened(PEER_A, "inbound"));
    observe(temporary.store, opened(PEER_B));
    observe(temporary.store, closed(PEER_B));
    const store = temporary.reopen();
    const lastAliveMs = temporary.clock.wallMs() + 2_000;
    temporary.clock.stall(3_600_000);
    expect(start(store, { lastAliveMs }).orphans).toBe(2);
    expect(start(store).orphans).toBe(0);
    const ended = { reason: "daemon_restart", durationMs: 2_000, durationClock: "wall" } as const;
    expect(store.history(PEER_A, { limit: 2 }).map(({ atMs, openedSeq, event }) => ({ atMs, openedSeq, event }))).toEqual([
      { atMs: lastAliveMs, openedSeq: 2, event: closed(PEER_A, { direction: "inbound", ...ended }) },
      { atMs: lastAliveMs, openedSeq: 1, event: closed(PEER_A, { direction: "outbound", ...ended }) },
    ]);
    expect(store.status(PEER_A)).toMatchObject({
      openStreams: [],
      outboundSessions: 1,
      lastOutboundClose: { reason: "daemon_restart" },
    });
    expect(store.verifyProjections()).toEqual([]);
  });
});

describe("the cause of an observed event", () => {
  it("is the desired event in force for its peer, and null for a stranger", () => {
    using temporary = new TemporaryStore();
    const { store } = temporary;
    append(store, desired());
    append(store, desired({ name: "renamed" }));
    expect(rowOf(observe(store, opened(PEER_A))).causeSeq).toBe(1);
    append(store, desired({ relation: "NONE", standing: "revoked" }));
    expect(rowOf(observe(store, closed(PEER_A)))).toMatchObject({ causeSeq: 4, openedSeq: 3 });
    expect(rowOf(observe(store, inboundRefused(PEER_B)))).toMatchObject({ causeSeq: null, openedSeq: null });
  });

  it("is the one of its time, however late its row is written", () => {
    using temporary = new TemporaryStore();
    const { store, clock } = temporary;
    append(store, desired());
    const openedThen = { event: opened(PEER_A), atMs: clock.wallMs(), causeSeq: store.get(PEER_A)?.generation ?? null };
    clock.stall(1_000);
    append(store, desired({ relation: "NONE", standing: "revoked" }));
    expect(rowOf(store.appendObserved(openedThen))).toMatchObject({ seq: 3, causeSeq: 1, atMs: openedThen.atMs });
    expect(store.status(PEER_A)?.openStreams).toMatchObject([{ seq: 3, causeSeq: 1, openedAtMs: openedThen.atMs }]);
  });
});

describe("time", () => {
  it("that goes backwards is told by how much, on that row alone", () => {
    using temporary = new TemporaryStore();
    const { store, clock } = temporary;
    observe(store, opened(PEER_A));
    clock.stall(-2_500);
    observe(store, opened(PEER_B));
    observe(store, closed(PEER_B));
    clock.stall(1_000);
    observe(temporary.reopen(), closed(PEER_A));
    expect(temporary.read("select clock_set_back_ms from event_log order by seq").map((row) => row["clock_set_back_ms"])).toEqual(
      [null, 2_500, null, null],
    );
  });

  it("is logged in whole milliseconds, although a virtual clock has fractions", () => {
    using temporary = new TemporaryStore();
    temporary.clock.stall(0.4);
    const { atMs } = rowOf(observe(temporary.store, opened(PEER_A)));
    expect(atMs).toBe(Math.round(temporary.clock.wallMs()));
    expect(temporary.read("select typeof(at_ms) as type from event_log")).toEqual([{ type: "integer" }]);
  });
});

describe("reading", () => {
  it("returns a history page by page, newest first", () => {
    using temporary = new TemporaryStore();
    const { store } = temporary;
    append(store, desired());
    observe(store, opened(PEER_A));
    observe(store, opened(PEER_B));
    observe(store, closed(PEER_A));
    const newest = store.history(PEER_A, { limit: 2 });
    expect(newest.map(({ seq, event }) => [seq, event.type])).toEqual([
      [4, "StreamClosed"],
      [2, "StreamOpened"],
    ]);
    expect(store.history(PEER_A, { limit: 2, beforeSeq: 2 }).map(({ event }) => event.type)).toEqual(["PeerDesired"]);
  });

  it("returns every event as it was appended", () => {
    using temporary = new TemporaryStore();
    const { store } = temporary;
    const events = [opened(PEER_A), openFailed(PEER_A), inboundRefused(PEER_A), closed(PEER_A)];
    for (const event of events) observe(store, event);
    expect(store.history(PEER_A, { limit: 10 }).map(({ event }) => event)).toEqual(events.toReversed());
  });

  it("returns the head and every status after a restart", () => {
    using temporary = new TemporaryStore();
    observe(temporary.store, { ...opened(PEER_A), protocol: PROTOCOL });
    observe(temporary.store, openFailed(PEER_B));
    const before = temporary.store.statuses();
    const head = temporary.store.head();
    const store = temporary.reopen();
    expect(store.statuses()).toEqual(before);
    expect(store.head()).toEqual(head);
    expect(store.status("nobody" as PeerId)).toBeUndefined();
  });

  it("from a closed store throws, but closing twice does not", () => {
    using temporary = new TemporaryStore();
    const { store } = temporary;
    store[Symbol.dispose]();
    store[Symbol.dispose]();
    expect(() => store.head()).toThrow("the store is closed");
  });
});
