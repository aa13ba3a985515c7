import { beforeEach, describe, expect, it } from "vitest";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { LOOK_EVERY_MS, PaceClock } from "./pace-clock.ts";

let runnable: number;
let clock: VirtualClock;
let pace: PaceClock;

beforeEach(() => {
  runnable = 1;
  clock = new VirtualClock();
  pace = new PaceClock({ clock, readMachine: () => ({ cores: 2, runnable, ticks: 0, stolenTicks: 0 }) });
});

/** Takes effect from the next reading; until then the clock runs as before. */
function becomesBusy(tasks: number): void {
  runnable = tasks;
  clock.advanceSync(LOOK_EVERY_MS);
}

describe("a pace clock", () => {
  it("is an ordinary clock while the machine is idle", () => {
    for (const stepMs of [1, 49, 50, 123, 10_000]) clock.advanceSync(stepMs);
    expect(pace.monotonicMs()).toBeCloseTo(10_223, 6);
  });

  it("runs at the share that each task gets, and follows its changes", () => {
    becomesBusy(12);
    const busyMs = pace.monotonicMs();
    clock.advanceSync(6_000);
    expect(pace.monotonicMs() - busyMs).toBeCloseTo(1_000, 6);
    becomesBusy(1);
    const idleMs = pace.monotonicMs();
    clock.advanceSync(1_000);
    expect(pace.monotonicMs() - idleMs).toBeCloseTo(1_000, 6);
  });

  it("uses the smaller share for a time without readings", () => {
    runnable = 20;
    clock.stall(5_000);
    expect(pace.monotonicMs()).toBeCloseTo(500, 6);
    runnable = 1;
    clock.stall(5_000);
    expect(pace.monotonicMs()).toBeCloseTo(1_000, 6);
  });

  it("never runs backwards", () => {
    let beforeMs = pace.monotonicMs();
    for (let turn = 0; turn < 2_000; turn++) {
      runnable = 1 + ((turn * 7) % 31);
      if (turn % 13 === 0) clock.stall(turn % 400);
      clock.advanceSync(turn % 17);
      const nowMs = pace.monotonicMs();
      expect(nowMs).toBeGreaterThanOrEqual(beforeMs);
      beforeMs = nowMs;
    }
  });

  it("runs a task when its delay has passed in machine time, not in wall time", () => {
    let ranMs: number | undefined;
    becomesBusy(20);
    const startedMs = clock.monotonicMs();
    pace.schedule(1_000, () => {
      ranMs = clock.monotonicMs() - startedMs;
    });
    clock.advanceSync(9_900);
    expect(ranMs).toBeUndefined();
    clock.advanceSync(200);
    expect(ranMs).toBeGreaterThanOrEqual(10_000);
  });

  it("does not run a disposed task", () => {
    let ran = false;
    const timer = pace.schedule(100, () => {
      ran = true;
    });
    clock.advanceSync(99);
    timer[Symbol.dispose]();
    clock.advanceSync(1_000);
    expect(ran).toBe(false);
  });
});
