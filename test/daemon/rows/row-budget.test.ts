/** How many rows peers can cause, through the recorder and a real store. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import type { PeerId } from "../../../src/base/ids.ts";
import { Recorder } from "../../../src/daemon/recorder.ts";
import { Metrics } from "../../../src/http/metrics.ts";
import type { Store } from "../../../src/store/store.ts";
import { append, closed, desired, inboundRefused, opened, openFailed, removed } from "../../store/support/events.ts";
import { TemporaryStore } from "../../store/support/temporary-store.ts";
import { PEER_A } from "../../support/peers.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const MOST_ROWS_PER_MINUTE = 60;

let temporary: TemporaryStore;
let logger: RecordingLogger;
let recorder: Recorder;

const recorderOn = (store: Store): Recorder =>
  new Recorder({ store, clock: temporary.clock, logger, metrics: new Metrics(), onObserved: () => {} });

beforeEach(() => {
  temporary = new TemporaryStore();
  logger = new RecordingLogger();
  recorder = recorderOn(temporary.store);
});
afterEach(() => {
  recorder[Symbol.dispose]();
  expect(temporary.store.verifyProjections()).toEqual([]);
  expect(temporary.read(UNPAIRED)).toEqual([]);
  temporary[Symbol.dispose]();
});

function restart(): void {
  recorder[Symbol.dispose]();
  recorder = recorderOn(temporary.reopen());
}

/** Closes without an opening. */
const UNPAIRED = "select seq from event_log where type = 'StreamClosed' and opened_seq is null";

const strangers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `stranger-${from + index}` as PeerId);
const inbound = (peerId: PeerId) => opened(peerId, "inbound");
const reset = (peerId: PeerId) => closed(peerId, { direction: "inbound", reason: "reset" });
const rows = (where = "true") => Number(temporary.read(`select count(*) as n from event_log where ${where}`)[0]?.["n"]);
const suppressed = () =>
  temporary
    .read("select peer_id, duration_ms, details from event_log where type = 'EventsSuppressed' order by seq")
    .map((row) => ({
      peerId: row["peer_id"],
      durationMs: row["duration_ms"],
      ...(JSON.parse(String(row["details"])) as { events: number; peers: number; counts: { events: number }[] }),
    }));

/** The most rows in any minute. */
function mostPerMinute(where = "true"): number {
  const times = temporary.read(`select at_ms from event_log where ${where} order by seq`).map((row) => Number(row["at_ms"]));
  return Math.max(0, ...times.map((atMs, index) => index + 1 - times.findIndex((earlierMs) => earlierMs > atMs - 60_000)));
}

describe("strangers", () => {
  it("that come once, a thousand of them, leave a row each at first, then one row a minute with the counts", () => {
    for (const peerId of strangers(1_000)) recorder.observed(inboundRefused(peerId));
    const single = rows();
    expect(single).toBe(24);
    temporary.clock.advanceSync(60_000);
    expect(suppressed()).toEqual([
      {
        peerId: null,
        durationMs: 60_000,
        events: 976,
        peers: 976,
        counts: [{ type: "InboundRefused", reason: "not_partner", events: 976 }],
      },
    ]);
    temporary.clock.advanceSync(600_000);
    expect(rows()).toBe(25);
    expect(mostPerMinute()).toBeLessThanOrEqual(MOST_ROWS_PER_MINUTE);
    expect(logger.at("warn")).toHaveLength(25);
  });

  it("that come on get a row every ten seconds", () => {
    for (const peerId of strangers(24)) recorder.observed(inboundRefused(peerId));
    let number = 24;
    const refusedRows = () => {
      number += 2;
      for (const peerId of strangers(2, number)) recorder.observed(inboundRefused(peerId));
      return rows("type = 'InboundRefused'");
    };
    expect(refusedRows()).toBe(24);
    temporary.clock.advanceSync(9_999);
    expect(refusedRows()).toBe(24);
    temporary.clock.advanceSync(1);
    expect(refusedRows()).toBe(25);
    temporary.clock.advanceSync(10_000);
    expect(refusedRows()).toBe(26);
  });

  it("leave the places of their open streams to others once they are named", () => {
    for (const peerId of strangers(16)) recorder.observed(inbound(peerId));
    append(temporary.store, desired({ peerId: "stranger-0" as PeerId }));
    for (const peerId of strangers(3, 16)) recorder.observed(inbound(peerId));
    expect(rows("type = 'StreamOpened'")).toBe(17);
  });

  it("pay for a refusal before each stream, too", () => {
    const peerId = "stranger-0" as PeerId;
    for (let count = 0; count < 20; count++)
      for (const event of [inboundRefused(peerId), inbound(peerId), reset(peerId)]) recorder.observed(event);
    // Three rows in each round, of 24.
    expect(rows("type = 'InboundRefused'")).toBe(8);
  });

  it("have a row for the end of just the stream whose opening has one", () => {
    const peerId = "stranger-0" as PeerId;
    recorder.observed(inbound(peerId));
    recorder.observed(reset(peerId));
    recorder.observed(inbound(peerId));
    for (const other of strangers(30, 1)) recorder.observed(inboundRefused(other));
    const closedRows = () => rows("type = 'StreamClosed'");
    recorder.observed(opened(peerId, "inbound", "/other/1.0"));
    recorder.observed(opened(peerId, "outbound"));
    recorder.observed(closed(peerId, { direction: "inbound", protocol: "/other/1.0" }));
    recorder.observed(closed(peerId));
    expect(closedRows()).toBe(1);
    recorder.observed(reset(peerId));
    expect(closedRows()).toBe(2);
    recorder.observed(inbound(peerId));
    recorder.observed(reset(peerId));
    expect(closedRows()).toBe(2);
  });

  it("that are removed by an event get their open stream into the log", () => {
    for (const peerId of strangers(16)) recorder.observed(inbound(peerId));
    recorder.observed(inbound(PEER_A));
    append(temporary.store, removed());
    expect(rows(`type = 'StreamOpened' and peer_id = '${PEER_A}'`)).toBe(1);
  });

  it("that flap, sixteen of them for ten minutes, never hide a partner, and lose no count", () => {
    append(temporary.store, desired());
    let events = 0;
    let ofPartner = 0;
    for (let second = 0; second < 600; second++) {
      for (const peerId of strangers(16)) {
        recorder.observed(inbound(peerId));
        recorder.observed(second % 7 === 0 ? closed(peerId, { direction: "inbound" }) : reset(peerId));
        events += 2;
      }
      if (second % 10 === 0) {
        recorder.observed(opened(PEER_A));
        recorder.observed(closed(PEER_A, { reason: "reset" }));
        ofPartner += 2;
      }
      temporary.clock.advanceSync(1_000);
    }
    temporary.clock.advanceSync(60_000);
    expect(rows("cause_seq is not null")).toBe(ofPartner);
    const ofStrangers = "cause_seq is null and type <> 'PeerDesired'";
    expect(mostPerMinute(ofStrangers)).toBeLessThanOrEqual(MOST_ROWS_PER_MINUTE);
    const single = rows(`${ofStrangers} and type <> 'EventsSuppressed'`);
    const counted = suppressed().map((row) => row.events);
    expect(counted.reduce((sum, count) => sum + count, single)).toBe(events);
    expect(suppressed().every((row) => row.counts.reduce((sum, count) => sum + count.events, 0) === row.events)).toBe(true);
    expect(suppressed().every((row) => row.peers === 16)).toBe(true);
    expect(logger.at("info").length + logger.at("warn").length).toBe(rows() - 1);
  });

  it("that all lose their streams at once close every stream that the log shows as open, within the budget", () => {
    for (let round = 0; round < 20; round++) {
      for (const peerId of strangers(10, round * 10)) recorder.observed(inbound(peerId));
      temporary.clock.advanceSync(60_000);
    }
    for (const peerId of strangers(200)) recorder.observed(reset(peerId));
    temporary.clock.advanceSync(60_000);
    expect(rows("type = 'StreamClosed'")).toBe(rows("type = 'StreamOpened'"));
    expect(temporary.read("select * from open_stream")).toEqual([]);
    expect(mostPerMinute()).toBeLessThanOrEqual(MOST_ROWS_PER_MINUTE);
  });

  it.each(["before", "after"])("whose streams are replaced close the older one first, told %s the newer one opens", (order) => {
    const peerId = "stranger-0" as PeerId;
    recorder.observed(inbound(peerId));
    for (const other of strangers(40, 1)) recorder.observed(inboundRefused(other));
    for (let times = 0; times < 3; times++) {
      const events = [closed(peerId, { direction: "inbound", reason: "replaced" }), inbound(peerId)];
      for (const event of order === "before" ? events : events.reverse()) recorder.observed(event);
    }
    recorder.observed(reset(peerId));
    const ofPeer = temporary.read("select type, reason from event_log where peer_id = ? order by seq", peerId);
    expect(ofPeer).toEqual([
      { type: "StreamOpened", reason: null },
      { type: "StreamClosed", reason: "replaced" },
    ]);
  });

  it("that an event names get their open stream into the log, before anything else of theirs", () => {
    for (const peerId of strangers(100)) recorder.observed(inbound(peerId));
    expect(rows()).toBe(16);
    temporary.clock.advanceSync(5_000);
    recorder.observed(inbound(PEER_A));
    const openedAtMs = temporary.clock.wallMs();
    temporary.clock.advanceSync(5_000);
    append(temporary.store, desired());
    recorder.observed(opened(PEER_A));
    recorder.observed(reset(PEER_A));
    const ofPeer = "select type, direction, cause_seq, opened_seq, at_ms from event_log where peer_id = ? order by seq";
    expect(temporary.read(ofPeer, PEER_A)).toMatchObject([
      { type: "PeerDesired" },
      { type: "StreamOpened", direction: "inbound", cause_seq: null, at_ms: openedAtMs },
      { type: "StreamOpened", direction: "outbound", cause_seq: 17 },
      { type: "StreamClosed", direction: "inbound", cause_seq: 17, opened_seq: 18 },
    ]);
  });

  it("that are refused again and again for one reason only raise the count of their row", () => {
    for (const peerId of strangers(10)) for (let refusal = 0; refusal < 100; refusal++) recorder.observed(inboundRefused(peerId));
    temporary.clock.advanceSync(60_000);
    expect(rows()).toBe(10);
    expect(temporary.store.status("stranger-0" as PeerId)?.lastRefusal?.seq).toBe(1);
    restart();
    expect(temporary.read("select sum(count) as n from repeated_failures")).toEqual([{ n: 990 }]);
  });

  it("leave their counts in the log when the daemon stops, and a new budget to the next run", () => {
    for (const peerId of strangers(30)) recorder.observed(inboundRefused(peerId));
    temporary.clock.advanceSync(2_000);
    restart();
    expect(temporary.clock.pendingTimers).toBe(0);
    expect(suppressed()).toMatchObject([{ events: 6, peers: 6, durationMs: 2_000 }]);
    recorder.observed(inboundRefused("stranger-99" as PeerId));
    expect(rows("peer_id = 'stranger-99'")).toBe(1);
  });

  it("cannot crowd out a partner while the log is unwritable", () => {
    append(temporary.store, desired());
    recorder[Symbol.dispose]();
    const { store } = temporary;
    let isFull = true;
    const appendObserved: Store["appendObserved"] = (observation) => {
      if (isFull) throw new PartnerdError("database_failed", "disk full");
      return store.appendObserved(observation);
    };
    recorder = recorderOn({ ...store, appendObserved });
    for (const peerId of strangers(10_000)) recorder.observed(inboundRefused(peerId));
    recorder.observed(opened(PEER_A));
    recorder.observed(closed(PEER_A));
    isFull = false;
    temporary.clock.advanceSync(1_000);
    expect(rows("cause_seq = 1")).toBe(2);
  });
});

describe("a known peer", () => {
  beforeEach(() => append(temporary.store, desired()));

  it("gets a row for each stream, however many", () => {
    for (let stream = 0; stream < 200; stream++) {
      recorder.observed(opened(PEER_A));
      recorder.observed(closed(PEER_A));
    }
    expect(rows("cause_seq = 1")).toBe(400);
  });

  it("gets a row for six failures, and then for one in 15 s", () => {
    const reasons = ["timeout", "dial_failed"] as const;
    let number = 0;
    const failedRows = (count: number) => {
      for (const last = number + count; number < last; number += 1)
        recorder.observed(openFailed(PEER_A, { reason: reasons[number % 2] ?? "timeout" }));
      return rows("type = 'OpenFailed'");
    };
    expect(failedRows(7)).toBe(6);
    temporary.clock.advanceSync(14_999);
    expect(failedRows(1)).toBe(6);
    temporary.clock.advanceSync(1);
    expect(failedRows(2)).toBe(7);
    temporary.clock.advanceSync(15_000);
    expect(failedRows(2)).toBe(8);
  });

  it.each([
    ["OpenFailed", "outbound"],
    ["InboundRefused", "inbound"],
  ] as const)("gets no more rows for an %s by opening %s streams in between", (type, direction) => {
    for (let count = 0; count < 20; count++) {
      recorder.observed(type === "OpenFailed" ? openFailed(PEER_A) : inboundRefused(PEER_A));
      recorder.observed(opened(PEER_A, direction));
      recorder.observed(closed(PEER_A, { direction }));
    }
    expect(rows(`type = '${type}'`)).toBe(6);
  });

  it("whose failures alternate gets some of them as rows, and one a minute for the rest, in its own name", () => {
    const reasons = ["challenge_failed", "heartbeat_malformed", "peer_id_mismatch"] as const;
    for (let second = 0; second < 600; second++) {
      for (const reason of reasons) recorder.observed(inboundRefused(PEER_A, { reason }));
      recorder.observed(openFailed(PEER_A, { reason: second % 2 === 0 ? "timeout" : "dial_failed" }));
      temporary.clock.advanceSync(1_000);
    }
    temporary.clock.advanceSync(60_000);
    expect(mostPerMinute("cause_seq = 1")).toBeLessThanOrEqual(12);
    expect(suppressed().length).toBeGreaterThanOrEqual(9);
    expect(suppressed().every(({ peerId, peers }) => peerId === PEER_A && peers === 1)).toBe(true);
  });

  it("that fails for one reason is counted on its row, however often", () => {
    for (let second = 0; second < 600; second++) {
      recorder.observed(openFailed(PEER_A));
      temporary.clock.advanceSync(1_000);
    }
    expect(rows()).toBe(2);
  });
});
