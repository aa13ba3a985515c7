import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LeaseClock } from "../../../src/p2p/registry/lease-clock.ts";
import { LEASE_TICK_MS, LEASE_TICK_TOLERANCE_MS } from "../../../src/p2p/wire/constants.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";

describe("LeaseClock", () => {
  let clock: VirtualClock;
  let leaseClock: LeaseClock;

  beforeEach(() => {
    clock = new VirtualClock();
    leaseClock = new LeaseClock(clock);
  });

  afterEach(() => {
    leaseClock[Symbol.dispose]();
    expect(clock.pendingTimers).toBe(0);
  });

  it("runs with monotonic time while the event loop runs", () => {
    clock.advanceSync(60_000);
    expect(leaseClock.nowMs()).toBe(60_000);
  });

  it("stops during a stall, even before the stall ends", () => {
    clock.advanceSync(1_000);
    clock.stall(5_000);
    expect(leaseClock.nowMs()).toBe(1_000 + LEASE_TICK_MS + LEASE_TICK_TOLERANCE_MS);
  });

  it("excludes past stalls for ever, each once", () => {
    clock.advanceSync(1_000);
    clock.stall(5_000);
    const duringMs = leaseClock.nowMs();
    clock.advanceSync(2_000);
    expect(leaseClock.nowMs()).toBe(duringMs + 2_000);
    clock.stall(3_000);
    clock.advanceSync(1_000);
    expect(leaseClock.nowMs()).toBe(duringMs + 2_000 + LEASE_TICK_MS + LEASE_TICK_TOLERANCE_MS + 1_000);
  });

  it("does not mistake ordinary lateness for a stall", () => {
    clock.stall(LEASE_TICK_MS + LEASE_TICK_TOLERANCE_MS);
    expect(leaseClock.nowMs()).toBe(LEASE_TICK_MS + LEASE_TICK_TOLERANCE_MS);
  });

  it("never runs backwards", () => {
    let beforeMs = leaseClock.nowMs();
    for (let stepMs = 0; stepMs < 1_000; stepMs += 7) {
      if (stepMs % 3 === 0) clock.stall(stepMs);
      else clock.advanceSync(stepMs);
      expect(leaseClock.nowMs()).toBeGreaterThanOrEqual(beforeMs);
      beforeMs = leaseClock.nowMs();
    }
  });
});
