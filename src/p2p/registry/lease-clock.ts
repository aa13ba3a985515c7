/** The clock of leases. It stops while our event loop is stalled, so a local stall never kills a healthy peer's stream. */
import type { Clock } from "../../base/clock.ts";
import { LEASE_TICK_MS, LEASE_TICK_TOLERANCE_MS } from "../wire/constants.ts";

export interface LeaseTime {
  /** Never decreases; never faster than monotonic time. */
  nowMs(): number;
}

/** Monotonic time minus all stalls, including a current one. Dispose to stop its tick. */
export class LeaseClock implements LeaseTime, Disposable {
  readonly #clock: Clock;
  #stalledMs = 0;
  #lastTickMs: number;
  #tick: Disposable;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastTickMs = clock.monotonicMs();
    this.#tick = this.#scheduleTick();
  }

  nowMs(): number {
    const monotonicMs = this.#clock.monotonicMs();
    return monotonicMs - this.#stalledMs - this.#stallUnderWayMs(monotonicMs);
  }

  [Symbol.dispose](): void {
    this.#tick[Symbol.dispose]();
  }

  #scheduleTick(): Disposable {
    return this.#clock.schedule(LEASE_TICK_MS, () => {
      const monotonicMs = this.#clock.monotonicMs();
      this.#stalledMs += this.#stallUnderWayMs(monotonicMs);
      this.#lastTickMs = monotonicMs;
      this.#tick = this.#scheduleTick();
    });
  }

  /** Counts only the part beyond the tolerance; otherwise time would jump back when lateness becomes a stall. */
  #stallUnderWayMs(monotonicMs: number): number {
    return Math.max(0, monotonicMs - this.#lastTickMs - LEASE_TICK_MS - LEASE_TICK_TOLERANCE_MS);
  }
}
