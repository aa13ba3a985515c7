import { describe, expect, it } from "vitest";
import type { PeerId } from "../../../src/base/ids.ts";
import type { LogEntry } from "../../../src/store/model/log-entry.ts";
import { OWN_SOURCE } from "../../../src/store/model/log-entry.ts";
import { PEER_A, PEER_B } from "../../support/peers.ts";
import { append, closed, desired, inboundRefused, opened, openFailed, PROTOCOL } from "../support/events.ts";
import { TemporaryStore } from "../support/temporary-store.ts";

const OTHER_PROTOCOL = "/opencloud/resource/heartbeat/partner/2.0";

function rowOf(answer: LogEntry | "repeated" | "suppressed"): LogEntry {
  if (typeof answer === "string") throw new Error(`expected a new row, got ${answer}`);
  return answer;
}

describe("a StreamClosed", () => {
  it("names the StreamOpened that it closes: same peer, protocol and direction", () => {
    using temporary = new TemporaryStore();
    const { store } = temporary;
    const events = [opened(PEER_A), opened(PEER_A, "inbound"), opened(PEER_A, "outbound", OTHER_PROTOCOL), opened(PEER_B)];
    for (const event of events) store.appendObserved(event);
    expect(rowOf(store.appendObserved(closed(PEER_A)))).toMatchObject({ seq: 5, causeSeq: 1, source: OWN_SOURCE });
    expect(rowOf(store.appendObserved(closed(PEER_A, { direction: "inbound" }))).causeSeq).toBe(2);
    expect(store.status(PEER_A)?.openStreams).toEqual([
      { seq: 3, protocol: OTHER_PROTOCOL, direction: "outbound", openedAtMs: temporary.clock.wallMs() },
    ]);
    expect(rowOf(store.appendObserved(closed(PEER_A))).causeSeq).toBeNull();
  });

  it.each([
    ["before", [closed(PEER_A, { reason: "replaced" }), opened(PEER_A)]],
    ["after", [opened(PEER_A), closed(PEER_A, { reason: "replaced" })]],
  ])("of a replaced stream closes the older one if it is reported %s the newer one opened", (_, events) => {
    using temporary = new TemporaryStore();
    const { store } = temporary;
    store.appendObserved(opened(PEER_A));
    const rows = events.map((event) => rowOf(store.appendObserved(event)));
    expect(rows.find(({ event }) => event.type === "StreamClosed")?.causeSeq).toBe(1);
    expect(store.status(PEER_A)?.openStreams).toHaveLength(1);
    expect(store.status(PEER_A)?.openStreams[0]?.seq).not.toBe(1);
  });
});

describe("a failure", () => {
  it("equal to the previous one is counted, not logged", () => {
    using temporary = new TemporaryStore();
    const { store, clock } = temporary;
    expect(rowOf(store.appendObserved(openFailed(PEER_A))).seq).toBe(1);
    clock.advanceSync(1_000);
    expect(store.appendObserved(openFailed(PEER_A, { message: "no answer within 11 s" }))).toBe("repeated");
    clock.advanceSync(1_000);
    expect(store.appendObserved(openFailed(PEER_A))).toBe("repeated");
    expect(store.head().seq).toBe(1);
    expect(temporary.read("select first_seq, count, last_at_ms from repeated_failures")).toEqual([
      { first_seq: 1, count: 2, last_at_ms: clock.wallMs() },
    ]);
  });

  it("in a flood is written once a second, and no count is lost", () => {
    using temporary = new TemporaryStore();
    const { store, clock } = temporary;
    const written = () => temporary.read("select count from repeated_failures")[0]?.["count"];
    store.appendObserved(inboundRefused(PEER_A));
    for (let refusal = 0; refusal < 100; refusal++) store.appendObserved(inboundRefused(PEER_A));
    expect(written()).toBe(1);
    clock.advanceSync(1_000);
    store.appendObserved(inboundRefused(PEER_A));
    expect(written()).toBe(101);
    store.appendObserved(inboundRefused(PEER_A));
    store.appendObserved(openFailed(PEER_B));
    expect(written()).toBe(102);
    store.appendObserved(inboundRefused(PEER_A));
    temporary.reopen();
    expect(written()).toBe(103);
  });

  it.each([
    ["another reason", () => openFailed(PEER_A, { reason: "refused" })],
    ["another peer", () => openFailed(PEER_B)],
    ["a refusal with the same reason", () => inboundRefused(PEER_A, { reason: "timeout" })],
  ])("with %s is logged", (_, next) => {
    using temporary = new TemporaryStore();
    temporary.store.appendObserved(openFailed(PEER_A));
    expect(rowOf(temporary.store.appendObserved(next())).seq).toBe(2);
  });

  it("is logged again after an outbound stream was open, but not after an inbound one", () => {
    using temporary = new TemporaryStore();
    const { store } = temporary;
    store.appendObserved(openFailed(PEER_A));
    store.appendObserved(opened(PEER_A, "inbound"));
    expect(store.appendObserved(openFailed(PEER_A))).toBe("repeated");
    store.appendObserved(opened(PEER_A));
    expect(store.status(PEER_A)?.lastError).toBeNull();
    expect(rowOf(store.appendObserved(openFailed(PEER_A))).seq).toBe(4);
  });

  it("of an inbound stream is logged again after one was open, but not after an outbound one", () => {
    using temporary = new TemporaryStore();
    const { store } = temporary;
    store.appendObserved(inboundRefused(PEER_A));
    store.appendObserved(opened(PEER_A));
    expect(store.appendObserved(inboundRefused(PEER_A))).toBe("repeated");
    store.appendObserved(opened(PEER_A, "inbound"));
    expect(store.status(PEER_A)?.lastRefusal).toBeNull();
    expect(rowOf(store.appendObserved(inboundRefused(PEER_A))).seq).toBe(4);
  });

  it("is forgotten in a new generation, of the peer itself or of the one that it superseded", () => {
    using temporary = new TemporaryStore();
    const { store } = temporary;
    append(store, desired());
    store.appendObserved(openFailed(PEER_A));
    store.appendObserved(inboundRefused(PEER_A));
    append(store, desired({ name: "renamed" }));
    expect(store.status(PEER_A)).toMatchObject({ lastError: { code: "timeout" }, lastRefusal: { code: "not_partner" } });
    append(store, desired({ relation: "NONE", standing: "revoked" }));
    expect(store.status(PEER_A)).toMatchObject({ lastError: null, lastRefusal: null });
    append(store, desired());
    store.appendObserved(openFailed(PEER_A));
    append(store, desired({ peerId: PEER_B }));
    expect(store.status(PEER_A)?.lastError).toBeNull();
    expect(store.verifyProjections()).toEqual([]);
  });
});

describe("refusals of minted PeerIDs", () => {
  const strangers = (from: number, count: number) =>
    Array.from({ length: count }, (_, index) => `stranger-${from + index}` as PeerId);

  it("are logged up to 600 times an hour, and only counted in memory after that", () => {
    using temporary = new TemporaryStore();
    const { store, clock } = temporary;
    for (const peerId of strangers(0, 600)) rowOf(store.appendObserved(inboundRefused(peerId)));
    clock.advanceSync(1_800_000);
    for (const peerId of strangers(600, 10)) expect(store.appendObserved(inboundRefused(peerId))).toBe("suppressed");
    expect(store.suppressedRefusals).toBe(10);
    expect(store.head().seq).toBe(600);
    expect(store.statuses()).toHaveLength(600);
    clock.advanceSync(1_800_000);
    expect(rowOf(store.appendObserved(inboundRefused("stranger-610" as PeerId))).seq).toBe(601);
  });

  it("never hide the refusal of a known peer, or any other event", () => {
    using temporary = new TemporaryStore();
    const { store } = temporary;
    append(store, desired());
    for (const peerId of strangers(0, 601)) store.appendObserved(inboundRefused(peerId));
    expect(rowOf(store.appendObserved(inboundRefused(PEER_A, { reason: "challenge_failed" }))).event.type).toBe("InboundRefused");
    expect(rowOf(store.appendObserved(openFailed("stranger-601" as PeerId))).event.type).toBe("OpenFailed");
  });
});

describe("sessions left open by a crash", () => {
  it("are closed at startup, once, each with its own StreamOpened", () => {
    using temporary = new TemporaryStore();
    temporary.store.appendObserved(opened(PEER_A));
    temporary.store.appendObserved(opened(PEER_A, "inbound"));
    temporary.store.appendObserved(opened(PEER_B));
    temporary.store.appendObserved(closed(PEER_B));
    const store = temporary.reopen();
    expect(store.closeOrphanedStreams()).toHaveLength(2);
    expect(store.closeOrphanedStreams()).toEqual([]);
    expect(store.history(PEER_A, { limit: 2 }).map(({ causeSeq, event }) => ({ causeSeq, event }))).toEqual([
      { causeSeq: 2, event: closed(PEER_A, { direction: "inbound", reason: "daemon_restart" }) },
      { causeSeq: 1, event: closed(PEER_A, { direction: "outbound", reason: "daemon_restart" }) },
    ]);
    expect(store.status(PEER_A)).toMatchObject({
      openStreams: [],
      outboundSessions: 1,
      lastOutboundClose: { reason: "daemon_restart" },
    });
    expect(store.verifyProjections()).toEqual([]);
  });
});

describe("time", () => {
  it("is logged in whole milliseconds, although a virtual clock can be between two", () => {
    using temporary = new TemporaryStore();
    temporary.clock.stall(0.4);
    const { atMs } = rowOf(temporary.store.appendObserved(opened(PEER_A)));
    expect(atMs).toBe(Math.round(temporary.clock.wallMs()));
    expect(temporary.read("select typeof(at_ms) as type from event_log")).toEqual([{ type: "integer" }]);
  });
});

describe("reading", () => {
  it("returns a history page by page, newest first", () => {
    using temporary = new TemporaryStore();
    const { store } = temporary;
    append(store, desired());
    store.appendObserved(opened(PEER_A));
    store.appendObserved(opened(PEER_B));
    store.appendObserved(closed(PEER_A));
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
    for (const event of events) store.appendObserved(event);
    expect(store.history(PEER_A, { limit: 10 }).map(({ event }) => event)).toEqual(events.toReversed());
  });

  it("returns the head and every status after a restart", () => {
    using temporary = new TemporaryStore();
    temporary.store.appendObserved({ ...opened(PEER_A), protocol: PROTOCOL });
    temporary.store.appendObserved(openFailed(PEER_B));
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
