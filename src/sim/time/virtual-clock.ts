/**
 * Time that moves only when somebody moves it. One clock for a whole simulated world; each machine in it has a view of its own,
 * which can be paused while the others go on.
 */
import { type Clock, systemClock } from "../../base/clock.ts";
import { type HeapEntry, MinHeap } from "../../reconciler/min-heap.ts";

/** Noon of an arbitrary day, so that a wall time is never mistaken for a monotonic one. */
const WALL_START_MS = Date.UTC(2026, 0, 1, 12);

/** A task that waits for its time, and then perhaps for its machine. Disposing it after it has run does nothing. */
class Timer implements Disposable {
  readonly #clock: VirtualClock;
  /** Whose time it waits for; undefined: the world's. */
  readonly machine: ClockView | undefined;
  #task: (() => void) | undefined;
  /** Its place among those that wait for their time. */
  entry: HeapEntry<Timer> | undefined;

  constructor(clock: VirtualClock, machine: ClockView | undefined, task: () => void) {
    this.#clock = clock;
    this.machine = machine;
    this.#task = task;
  }

  run(): void {
    const task = this.#task;
    this.#task = undefined;
    task?.();
  }

  [Symbol.dispose](): void {
    this.#task = undefined;
    this.#clock.disposed(this);
  }
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
    return this.start(new Timer(this, undefined, task), delayMs);
  }

  /** How many timers are waiting: 0 once everything has been disposed. */
  get pendingTimers(): number {
    return this.#pending;
  }

  /** The time of the next timer; Infinity where there is none. */
  nextDueMs(): number {
    return this.#timers.peek()?.atMs ?? Number.POSITIVE_INFINITY;
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
    if (timer !== undefined) this.#due(timer);
    return true;
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

  /** For timers and views only, as is `disposed`. */
  start(timer: Timer, delayMs: number): Timer {
    timer.entry = this.#timers.push(onTheGrid(this.#nowMs + Math.max(0, delayMs)), timer);
    this.#pending += 1;
    return timer;
  }

  disposed(timer: Timer): void {
    const { entry } = timer;
    if (entry === undefined) return;
    timer.entry = undefined;
    this.#timers.remove(entry);
    this.#pending -= 1;
  }

  #due(timer: Timer): void {
    timer.entry = undefined;
    this.#pending -= 1;
    if (timer.machine === undefined) timer.run();
    else timer.machine.due(timer);
  }
}

/**
 * A power of two for a grid, so that sums and differences of times are exact: who is due "when the lease is over" must not wake up a
 * rounding error before, and again, and again.
 */
const TICKS_PER_MS = 1_024;

function onTheGrid(atMs: number): number {
  return Math.ceil(atMs * TICKS_PER_MS) / TICKS_PER_MS;
}

const NO_TIMER: Disposable = { [Symbol.dispose]: () => {} };

/** The time of one machine of the world: it can be paused and stopped, and its wall clock can be wrong. */
export class ClockView implements Clock {
  readonly #world: VirtualClock;
  /** Due while paused, in the order in which they fell due. */
  #held: Timer[] = [];
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
    return this.#stopped ? NO_TIMER : this.#world.start(new Timer(this.#world, this, task), delayMs);
  }

  /** The world's part: the time of a timer of this machine has come. */
  due(timer: Timer): void {
    if (this.#stopped) return;
    if (this.#paused) this.#held.push(timer);
    else timer.run();
  }

  get stopped(): boolean {
    return this.#stopped;
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
    for (const timer of held) this.#world.start(timer, 0);
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
