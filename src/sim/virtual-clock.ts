/**
 * Time that moves only when somebody moves it. One clock for a whole simulated world; each machine in it has a view of its own,
 * which can stand still while the others go on.
 */
import { type Clock, systemClock } from "../clock.ts";
import { MinHeap } from "../reconciler/min-heap.ts";

/** Noon of an arbitrary day, so that a wall time is never mistaken for a monotonic one. */
export const WALL_START_MS = Date.UTC(2026, 0, 1, 12);

interface Timer {
  task: (() => void) | undefined;
}

export class VirtualClock implements Clock {
  #nowMs = 0;
  readonly #timers = new MinHeap<Timer>();
  #pending = 0;

  wallMs(): number {
    return WALL_START_MS + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  schedule(delayMs: number, task: () => void): Disposable {
    const timer: Timer = { task };
    this.#timers.push(this.#nowMs + Math.max(0, delayMs), timer);
    this.#pending += 1;
    return {
      [Symbol.dispose]: () => {
        if (timer.task === undefined) return;
        timer.task = undefined;
        this.#pending -= 1;
      },
    };
  }

  /** How many timers are waiting: 0 once everything has been disposed. */
  get pendingTimers(): number {
    return this.#pending;
  }

  /** The time of the next timer; Infinity where there is none. */
  nextDueMs(): number {
    for (let next = this.#timers.peek(); next !== undefined; next = this.#timers.peek()) {
      if (next.value.task !== undefined) return next.atMs;
      this.#timers.pop();
    }
    return Number.POSITIVE_INFINITY;
  }

  /** One step: moves time to the next timer that is due by `untilMs` and runs it. False, and time at `untilMs`, where none is. */
  step(untilMs: number): boolean {
    const dueMs = this.nextDueMs();
    if (dueMs > untilMs) {
      this.#nowMs = Math.max(this.#nowMs, untilMs);
      return false;
    }
    const timer = this.#timers.pop();
    this.#nowMs = Math.max(this.#nowMs, dueMs);
    if (timer !== undefined) this.#fire(timer);
    return true;
  }

  /** Disposing a timer that has fired, or that fires, does nothing. */
  #fire(timer: Timer): void {
    const { task } = timer;
    timer.task = undefined;
    this.#pending -= 1;
    task?.();
  }

  /** Moves time by `durationMs`, runs what falls due in order, and lets every promise settle before and after each timer. */
  async advance(durationMs: number): Promise<void> {
    const untilMs = this.#nowMs + durationMs;
    do await settled();
    while (this.step(untilMs));
  }

  /** As `advance`, for code without promises. */
  advanceSync(durationMs: number): void {
    const untilMs = this.#nowMs + durationMs;
    while (this.step(untilMs));
  }

  /** Time passes and no timer fires, as when the event loop is blocked; what fell due runs late, at the next advance. */
  stall(durationMs: number): void {
    this.#nowMs += durationMs;
  }

  /** The clock of one machine. */
  view(): ClockView {
    return new ClockView(this);
  }
}

/** The time of one machine of the world: it can be paused and stopped, and its wall clock can be wrong. */
export class ClockView implements Clock {
  readonly #world: VirtualClock;
  /** Due while paused, in the order in which they fell due. */
  #held: (() => void)[] = [];
  #paused = false;
  #stopped = false;
  /** Added to the wall time of the world. */
  wallOffsetMs = 0;

  constructor(world: VirtualClock) {
    this.#world = world;
  }

  wallMs(): number {
    return this.#world.wallMs() + this.wallOffsetMs;
  }

  monotonicMs(): number {
    return this.#world.monotonicMs();
  }

  schedule(delayMs: number, task: () => void): Disposable {
    if (this.#stopped) return { [Symbol.dispose]: () => {} };
    let disposed = false;
    const run = () => {
      if (disposed || this.#stopped) return;
      if (this.#paused) this.#held.push(run);
      else task();
    };
    const timer = this.#world.schedule(delayMs, run);
    return {
      [Symbol.dispose]: () => {
        disposed = true;
        timer[Symbol.dispose]();
      },
    };
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** From now on nothing runs on this machine, and what falls due is held: a stall of the event loop, or SIGSTOP. */
  pause(): void {
    this.#paused = true;
  }

  /** What was held runs, each in a step of its own. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const held = this.#held;
    this.#held = [];
    for (const run of held) this.#world.schedule(0, run);
  }

  /** Nothing runs on this machine again, ever: its process is gone. */
  stop(): void {
    this.#stopped = true;
    this.#held = [];
  }
}

/** Resolves after all promise work that is possible now has been done: a turn of the real event loop. */
export function settled(): Promise<void> {
  return new Promise((resolve) => void systemClock.schedule(0, resolve));
}
