/** What happens to events while the log is unwritable. */
import { beforeEach, describe, expect, it } from "vitest";
import { Outbox } from "../../src/daemon/outbox.ts";
import type { InboundRefused, ObservedEvent } from "../../src/events/types.ts";
import { VirtualClock } from "../../src/sim/time/virtual-clock.ts";
import type { LogEntry } from "../../src/store/model/log-entry.ts";
import { PEER_A } from "../support/peers.ts";
import { RecordingLogger } from "../support/recording-logger.ts";

/** As in outbox.ts. */
const MAX_UNWRITTEN = 4_096;

const event = (number: number): InboundRefused => ({
  type: "InboundRefused",
  peerId: PEER_A,
  protocol: "/p/1.0",
  reason: "refused",
  message: String(number),
});

let clock: VirtualClock;
let logger: RecordingLogger;
/** If set, every append throws this. */
let failure: Error | null;
let answer: "row" | "repeated" | "suppressed";
/** The events that the store accepted: number, and wall time since the start of the test. */
let taken: (readonly [number, number])[];
let written: number[];
let attemptsFailed: number;
let outbox: Outbox;

beforeEach(() => {
  clock = new VirtualClock();
  logger = new RecordingLogger();
  failure = null;
  answer = "row";
  taken = [];
  written = [];
  attemptsFailed = 0;
  const startMs = clock.wallMs();
  const numberOf = (observed: ObservedEvent) => Number("message" in observed ? observed.message : Number.NaN);
  outbox = new Outbox({
    store: {
      appendObserved: (observed, atMs) => {
        if (failure !== null) throw failure;
        taken.push([numberOf(observed), (atMs ?? Number.NaN) - startMs]);
        return answer === "row" ? ({ event: observed } as LogEntry<typeof observed>) : answer;
      },
    },
    clock,
    logger,
    onWritten: (logged) => written.push(numberOf(logged.event)),
    onFailed: () => {
      attemptsFailed += 1;
    },
  });
});

describe("the outbox", () => {
  it("writes immediately, and leaves no timer", () => {
    outbox.put(event(1));
    expect(taken).toEqual([[1, 0]]);
    expect(written).toEqual([1]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("reports only new rows", () => {
    answer = "repeated";
    outbox.put(event(1));
    answer = "suppressed";
    outbox.put(event(2));
    expect([taken.length, written]).toEqual([2, []]);
  });

  it("keeps events that cannot be written, and writes them later, in order and with their original times", () => {
    failure = new Error("disk full");
    outbox.put(event(1));
    clock.advanceSync(300);
    outbox.put(event(2));
    expect(outbox.failing?.message).toBe("disk full");
    clock.advanceSync(5_000);
    expect(taken).toEqual([]);
    failure = null;
    clock.advanceSync(1_000);
    expect(taken).toEqual([
      [1, 0],
      [2, 300],
    ]);
    expect(written).toEqual([1, 2]);
    expect(outbox.failing).toBeNull();
    expect(clock.pendingTimers).toBe(0);
  });

  it("retries once a second, and logs a run of failures once", () => {
    failure = new Error("disk full");
    outbox.put(event(1));
    clock.advanceSync(3_000);
    expect(attemptsFailed).toBe(4);
    expect(logger.at("error")).toMatchObject([{ fields: { error: "disk full" } }]);
    failure = new Error("locked");
    clock.advanceSync(2_000);
    expect(logger.at("error").map(({ fields }) => fields)).toMatchObject([{ error: "disk full" }, { error: "locked" }]);
    failure = null;
    clock.advanceSync(1_000);
    expect(logger.at("info")).toMatchObject([{ fields: { events: 1, lost: 0 } }]);
  });

  it("is bounded, and counts and reports lost events", () => {
    failure = new Error("disk full");
    for (let number = 1; number <= MAX_UNWRITTEN + 2; number++) outbox.put(event(number));
    expect(logger.at("error").map(({ fields }) => fields)).toMatchObject([
      { error: "disk full" },
      { peerId: PEER_A, event: "InboundRefused", unwritten: MAX_UNWRITTEN },
    ]);
    failure = null;
    clock.advanceSync(1_000);
    expect(taken.map(([number]) => number)).toEqual(Array.from({ length: MAX_UNWRITTEN }, (_, index) => index + 1));
    expect(logger.at("info")).toMatchObject([{ fields: { events: MAX_UNWRITTEN, lost: 2 } }]);
  });

  it("writes what it can when disposed, and then stops retrying", () => {
    failure = new Error("disk full");
    outbox.put(event(1));
    failure = null;
    outbox[Symbol.dispose]();
    expect(written).toEqual([1]);
    expect(clock.pendingTimers).toBe(0);
  });
});
