/** A clock that moves only when a test moves it, and a random source that a seed decides. */
import type { Clock, Random } from "../../src/clock.ts";

interface Timer {
  readonly dueMs: number;
  readonly sequence: number;
  readonly task: () => void;
}

/** Noon of an arbitrary day, so that a wall time is never mistaken for a monotonic one. */
const WALL_START_MS = Date.UTC(2026, 0, 1, 12);

export class VirtualClock implements Clock {
  #nowMs = 0;
  #sequence = 0;
  readonly #timers = new Set<Timer>();

  wallMs(): number {
    return WALL_START_MS + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  schedule(delayMs: number, task: () => void): Disposable {
    const timer: Timer = { dueMs: this.#nowMs + Math.max(0, delayMs), sequence: this.#sequence++, task };
    this.#timers.add(timer);
    return { [Symbol.dispose]: () => this.#timers.delete(timer) };
  }

  /** How many timers are waiting: 0 once everything has been disposed. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Moves time by `durationMs`, runs what falls due in order, and lets every promise settle before and after each timer. */
  async advance(durationMs: number): Promise<void> {
    const untilMs = this.#nowMs + durationMs;
    await settled();
    for (let timer = this.#nextDue(untilMs); timer !== undefined; timer = this.#nextDue(untilMs)) {
      this.#fire(timer);
      await settled();
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  /** As `advance`, for code without promises. */
  advanceSync(durationMs: number): void {
    const untilMs = this.#nowMs + durationMs;
    for (let timer = this.#nextDue(untilMs); timer !== undefined; timer = this.#nextDue(untilMs)) this.#fire(timer);
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  /** Time passes and no timer fires, as when the event loop is blocked; what fell due runs late, at the next advance. */
  stall(durationMs: number): void {
    this.#nowMs += durationMs;
  }

  #fire(timer: Timer): void {
    this.#timers.delete(timer);
    this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
    timer.task();
  }

  #nextDue(untilMs: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs > untilMs) continue;
      if (next === undefined || timer.dueMs < next.dueMs || (timer.dueMs === next.dueMs && timer.sequence < next.sequence)) {
        next = timer;
      }
    }
    return next;
  }
}

/** Resolves after all promise work that is possible now has been done. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A random source that gives the same numbers for the same seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return { next, bytes: (length) => Uint8Array.from({ length }, () => Math.floor(next() * 256)) };
}
