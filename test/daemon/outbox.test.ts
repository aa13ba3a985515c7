/** Events while the log is unwritable. */
import { beforeEach, describe, expect, it } from "vitest";
import { PartnerdError } from "../../src/base/errors.ts";
import { Outbox } from "../../src/daemon/outbox.ts";
import { VirtualClock } from "../../src/sim/time/virtual-clock.ts";
import type { LogEntry } from "../../src/store/model/log-entry.ts";
import type { Observation } from "../../src/store/write/own-event-appender.ts";
import { openFailed } from "../store/support/events.ts";
import { ATTEMPT } from "../support/attempts.ts";
import { errorWith } from "../support/matchers.ts";
import { PEER_A, PEER_B } from "../support/peers.ts";
import { RecordingLogger } from "../support/recording-logger.ts";

/** As in outbox.ts. */
const MAX_UNWRITTEN = 4_096;

const event = (number: number): Observation => ({
  event: { type: "InboundRefused", peerId: PEER_A, protocol: "/p/1.0", reason: "refused", message: String(number) },
  atMs: clock.wallMs(),
  causeSeq: null,
});
const stream = { peerId: PEER_B, protocol: "/p/1.0", direction: "inbound", attempt: null } as const;
const openedNow = (): Observation => ({
  event: { ...stream, type: "StreamOpened", did: null, durationMs: null },
  atMs: clock.wallMs(),
  causeSeq: 1,
});
const closedNow = (): Observation => ({
  event: { ...stream, type: "StreamClosed", reason: "reset", durationMs: 1, durationClock: "monotonic" },
  atMs: clock.wallMs(),
  causeSeq: 1,
});

const LOCKED = new PartnerdError("database_failed", "database is locked", { details: { isPassing: true } });

let clock: VirtualClock;
let logger: RecordingLogger;
/** If set, every append throws this. */
let failure: Error | null;
/** If set, the start cannot be written. */
let startFailure: Error | null;
let answer: "row" | "repeated";
/** The numbers of the events that the store cannot take because of a mistake in the program. */
let faulty: ReadonlySet<number>;
/** The refusals that the store accepted: number, and wall time since the start of the test. */
let taken: (readonly [number, number])[];
/** Everything else that it accepted. */
let others: Observation["event"][];
let isSummaryRefused: boolean;
let isOpeningFaulty: boolean;
let attemptsFailed: number;
/** How long each append takes, and all of them together. */
let costMs: number;
let workedMs: number;
let outbox: Outbox;

beforeEach(() => {
  clock = new VirtualClock();
  logger = new RecordingLogger();
  failure = null;
  startFailure = null;
  answer = "row";
  faulty = new Set();
  isSummaryRefused = false;
  isOpeningFaulty = false;
  taken = [];
  others = [];
  attemptsFailed = 0;
  [costMs, workedMs] = [0, 0];
  const startMs = clock.wallMs();
  const numberOf = (observed: Observation["event"]) => Number("message" in observed ? observed.message : Number.NaN);
  outbox = new Outbox({
    store: {
      appendStart: () => {
        if (startFailure !== null) throw startFailure;
      },
      appendObserved: ({ event: observed, atMs }) => {
        workedMs += costMs;
        if (failure !== null) throw failure;
        if (isSummaryRefused && observed.type === "EventsSuppressed") throw new PartnerdError("database_failed", "no summary");
        if (isOpeningFaulty && observed.type === "StreamOpened") throw new TypeError("a bug");
        if (faulty.has(numberOf(observed))) throw new TypeError("a bug");
        if (observed.type === "InboundRefused") taken.push([numberOf(observed), (atMs ?? Number.NaN) - startMs]);
        else others.push(observed);
        return answer === "row" ? ({ event: observed } as LogEntry<typeof observed>) : answer;
      },
    },
    clock: {
      wallMs: () => clock.wallMs(),
      monotonicMs: () => clock.monotonicMs() + workedMs,
      schedule: (delayMs, task) => clock.schedule(delayMs, task),
    },
    logger,
    onFailed: () => {
      attemptsFailed += 1;
    },
  });
});

describe("the outbox", () => {
  it("writes immediately, and leaves no timer", () => {
    outbox.put(event(1));
    expect(taken).toEqual([[1, 0]]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("does not keep a repeated event", () => {
    answer = "repeated";
    outbox.put(event(1));
    expect(taken.length).toBe(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it("keeps events that cannot be written, and writes them later, in order and with their original times", () => {
    failure = new Error("disk full");
    outbox.put(event(1));
    clock.advanceSync(300);
    outbox.put(event(2));
    expect(outbox.failing).toMatchObject({ message: "disk full", code: "database_failed" });
    clock.advanceSync(5_000);
    expect(taken).toEqual([]);
    failure = null;
    clock.advanceSync(1_000);
    expect(taken).toEqual([
      [1, 0],
      [2, 300],
    ]);
    expect(outbox.failing).toBeNull();
    expect(clock.pendingTimers).toBe(0);
  });

  it("writes everything at once if something newer is to follow, or throws", () => {
    failure = new PartnerdError("database_failed", "disk full");
    outbox.put(event(1));
    expect(() => outbox.flush()).toThrow("disk full");
    failure = null;
    outbox.flush();
    expect(taken.map(([number]) => number)).toEqual([1]);
  });

  it("retries once a second, and logs a run of failures once", () => {
    failure = new Error("disk full");
    outbox.put(event(1));
    clock.advanceSync(3_000);
    expect(attemptsFailed).toBe(4);
    expect(logger.at("error")).toMatchObject([{ fields: { error: "disk full" } }]);
    failure = new Error("disk full: 3 pages wanted");
    clock.advanceSync(2_000);
    expect(logger.at("error")).toHaveLength(1);
    failure = new PartnerdError("data_dir_unwritable", "read-only file system", { nextStep: "remount it" });
    clock.advanceSync(2_000);
    expect(logger.at("error").map(({ fields }) => fields)).toMatchObject([
      { error: "disk full" },
      { error: "read-only file system", nextStep: "remount it" },
    ]);
    failure = null;
    clock.advanceSync(1_000);
    expect(logger.at("info")).toMatchObject([{ fields: { events: 1, lost: 0 } }]);
  });

  it("drops, logs and counts an event that a fault of the program keeps out, and writes the ones behind it", () => {
    faulty = new Set([1]);
    outbox.put(event(1));
    outbox.put(event(2));
    const stack = expect.stringContaining("outbox.test.ts") as string;
    const about = { part: "log", code: "internal_error", error: "a bug", peerId: PEER_A, event: "InboundRefused", stack };
    expect(logger.at("error")).toEqual([{ level: "error", message: "internal error", fields: about }]);
    expect(attemptsFailed).toBe(1);
    expect(taken.map(([number]) => number)).toEqual([2]);
    expect(others).toMatchObject([{ type: "EventsSuppressed", reason: "log_unwritable", details: { events: 1 } }]);
    expect(outbox.failing).toBeNull();
    expect(clock.pendingTimers).toBe(0);
  });

  it("names the attempt of such an event, and no peer for those of strangers together", () => {
    failure = new TypeError("a bug");
    outbox.put({ event: openFailed(PEER_A), atMs: clock.wallMs(), causeSeq: 1 });
    const details = { events: 2, peers: 1, counts: [] };
    const summary = { type: "EventsSuppressed", peerId: null, reason: null, durationMs: 1, details } as const;
    outbox.put({ event: summary, atMs: clock.wallMs(), causeSeq: null });
    const fault = { part: "log", code: "internal_error", error: "a bug", stack: expect.any(String) as string };
    const fields = logger.at("error").map((line) => line.fields);
    expect(fields).toContainEqual({ ...fault, event: "OpenFailed", peerId: PEER_A, attempt: ATTEMPT.id });
    expect(fields).toContainEqual({ ...fault, event: "EventsSuppressed" });
  });

  it("drops such an event although it was kept while the disk was full", () => {
    failure = new Error("disk full");
    for (const number of [1, 2, 3]) outbox.put(event(number));
    faulty = new Set([1, 3]);
    failure = null;
    outbox.flush();
    expect(taken.map(([number]) => number)).toEqual([2]);
    expect(outbox.failing).toBeNull();
  });

  it("writes the start before everything else, and tries that again as well", () => {
    startFailure = new Error("disk full");
    outbox.write();
    expect(outbox.failing).toMatchObject({ message: "disk full", code: "database_failed" });
    outbox.put(event(1));
    clock.advanceSync(2_500);
    expect(taken).toEqual([]);
    startFailure = null;
    clock.advanceSync(1_000);
    expect(taken).toEqual([[1, 0]]);
    expect(outbox.failing).toBeNull();
    expect(logger.at("info")).toMatchObject([{ fields: { events: 1, lost: 0 } }]);
  });

  it("has recovered once the start is written, by whatever append", () => {
    startFailure = new Error("disk full");
    outbox.write();
    startFailure = null;
    clock.advanceSync(1_000);
    expect(outbox.failing).toBeNull();
    expect(clock.pendingTimers).toBe(0);
  });

  it("holds a bounded number of events, and counts and reports what is dropped", () => {
    failure = new Error("disk full");
    for (let number = 1; number <= MAX_UNWRITTEN; number++) outbox.put(event(number));
    expect(logger.at("error")).toHaveLength(1);
    for (const number of [MAX_UNWRITTEN + 1, MAX_UNWRITTEN + 2]) {
      outbox.put(event(number));
      expect(logger.at("error").map(({ fields }) => fields)).toMatchObject([
        { error: "disk full" },
        { unwritten: MAX_UNWRITTEN },
      ]);
    }
    failure = null;
    clock.advanceSync(1_000);
    // The first of a series of refusals gets the row, so it is dropped after its repeats.
    expect(taken.map(([number]) => number)).toEqual([1, ...Array.from({ length: MAX_UNWRITTEN - 1 }, (_, index) => index + 4)]);
    const counts = [{ type: "InboundRefused", reason: "refused", events: 2 }];
    expect(others).toEqual([
      {
        type: "EventsSuppressed",
        peerId: null,
        reason: "log_unwritable",
        durationMs: 1_000,
        details: { events: 2, peers: 1, counts },
      },
    ]);
    expect(logger.at("info")).toMatchObject([{ fields: { events: MAX_UNWRITTEN, lost: 2 } }]);
  });

  it("keeps the end of a stream, however many refusals come before and after it", () => {
    outbox.put(openedNow());
    failure = new Error("disk full");
    for (let number = 0; number < MAX_UNWRITTEN; number++) outbox.put(event(number));
    outbox.put(closedNow());
    for (let number = 0; number < MAX_UNWRITTEN; number++) outbox.put(event(number));
    failure = null;
    clock.advanceSync(1_000);
    expect(taken).toHaveLength(MAX_UNWRITTEN);
    expect(others.map(({ type }) => type)).toEqual(["StreamOpened", "StreamClosed", "EventsSuppressed"]);
  });

  it("retries the summary of what was dropped until it is written, before anything newer", () => {
    failure = new PartnerdError("database_failed", "disk full");
    for (let number = 0; number <= MAX_UNWRITTEN; number++) outbox.put(event(number));
    isSummaryRefused = true;
    failure = null;
    clock.advanceSync(1_000);
    expect(taken).toHaveLength(MAX_UNWRITTEN);
    expect(outbox.failing?.message).toBe("no summary");
    expect(() => outbox.flush()).toThrow("no summary");
    isSummaryRefused = false;
    clock.advanceSync(1_000);
    expect(others).toMatchObject([{ type: "EventsSuppressed", durationMs: 2_000 }]);
    expect(outbox.failing).toBeNull();
    outbox.flush();
    expect(others).toHaveLength(1);
  });

  it("drops the end of a stream whose opening a fault of the program keeps out", () => {
    isOpeningFaulty = true;
    outbox.put(openedNow());
    isOpeningFaulty = false;
    outbox.put(openedNow());
    outbox.put(closedNow());
    outbox.put(closedNow());
    expect(others.map(({ type }) => type)).toEqual(["EventsSuppressed", "StreamOpened", "EventsSuppressed", "StreamClosed"]);
  });

  it("writes no longer than 50 ms in one turn, and nothing newer before the rest", () => {
    failure = new Error("disk full");
    for (let number = 1; number <= 25; number++) outbox.put(event(number));
    failure = null;
    costMs = 10;
    expect(() => outbox.flush()).toThrow(errorWith("database_failed", /^earlier events are written first$/));
    expect(taken).toHaveLength(5);
    expect(outbox.failing).toBeNull();
    clock.advanceSync(0);
    expect(taken.map(([number]) => number)).toEqual(Array.from({ length: 25 }, (_, index) => index + 1));
    outbox.flush();
    expect(clock.pendingTimers).toBe(0);
  });

  it("retries a locked database soon, and is silent if that is over within a second", () => {
    failure = LOCKED;
    outbox.put(event(1));
    clock.advanceSync(900);
    expect([outbox.failing, outbox.isBehind, logger.at("error")]).toEqual([null, true, []]);
    expect(() => outbox.flush()).toThrow("locked");
    failure = null;
    clock.advanceSync(50);
    expect([taken.length, outbox.isBehind, logger.at("info")]).toEqual([1, false, []]);
    failure = LOCKED;
    outbox.put(event(2));
    clock.advanceSync(1_000);
    expect(outbox.failing).toBe(LOCKED);
    expect(logger.at("error")).toMatchObject([{ fields: { error: "database is locked" } }]);
  });

  it("waits a moment for a locked database when it is drained", async () => {
    failure = LOCKED;
    outbox.put(event(1));
    let isOver = false;
    const drained = outbox.drain().then(() => {
      isOver = true;
    });
    await clock.advance(200);
    expect(isOver).toBe(false);
    failure = null;
    await clock.advance(50);
    await drained;
    expect(taken).toHaveLength(1);
    failure = LOCKED;
    outbox.put(event(2));
    isOver = false;
    const inVain = outbox.drain().then(() => {
      isOver = true;
    });
    await clock.advance(299);
    expect(isOver).toBe(false);
    await clock.advance(1);
    await inVain;
    failure = new Error("disk full");
    // A full disk is not waited for.
    await outbox.drain();
  });

  it("writes everything when disposed, and reports what it cannot", () => {
    failure = LOCKED;
    for (let number = 1; number <= 25; number++) outbox.put(event(number));
    failure = null;
    costMs = 10;
    outbox[Symbol.dispose]();
    expect(taken).toHaveLength(25);
    failure = new Error("disk full");
    outbox.put(event(26));
    outbox.put(event(27));
    outbox[Symbol.dispose]();
    expect(logger.at("error").at(-1)).toMatchObject({
      message: "could not write the last events to the log; they are lost",
      fields: { events: 2, error: "disk full" },
    });
  });

  it("reports a fault of the program in writing the start, once", () => {
    startFailure = new TypeError("a bug");
    outbox.write();
    clock.advanceSync(3_000);
    expect(logger.lines).toMatchObject([{ level: "error", message: "internal error", fields: { part: "log", error: "a bug" } }]);
  });

  it("is not waited for when it is drained while the disk is full, or with nothing to write", async () => {
    failure = new PartnerdError("database_failed", "disk full");
    outbox.put(event(1));
    await outbox.drain();
    failure = null;
    outbox.flush();
    failure = LOCKED;
    await outbox.drain();
    expect(clock.monotonicMs()).toBe(0);
  });

  it("writes what it can when disposed, and then stops retrying", () => {
    failure = new Error("disk full");
    outbox.put(event(1));
    failure = null;
    outbox[Symbol.dispose]();
    expect(clock.pendingTimers).toBe(0);
  });
});
