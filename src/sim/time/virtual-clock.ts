/**
 * Virtual time, which moves only when told to. One clock serves a whole simulated world; each machine has its own view of it, which
 * can be paused while the others run.
 */
import { type Clock, systemClock } from "../../base/clock.ts";
import { type HeapEntry, MinHeap } from "../../reconciler/min-heap.ts";

/** Noon on an arbitrary day, so that a wall time is never mistaken for a monotonic one. */
const WALL_START_MS = Date.UTC(2026, 0, 1, 12);

/** A task that waits for its time, and then for its machine if that is paused. Disposing it after it has run does nothing. */
class Timer implements Disposable {
  readonly #clock: VirtualClock;
  /** The machine whose clock it uses; undefined for the world's. */
  readonly machine: ClockView | undefined;
  #task: (() => void) | undefined;
  /** Its entry in the heap while it waits for its time. */
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

  /** The number of waiting timers; 0 once everything has been disposed. */
  get pendingTimers(): number {
    return this.#pending;
  }

  /** The time of the next timer; Infinity if there is none. */
  nextDueMs(): number {
    return this.#timers.peek()?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /** Advances to the next timer due by `untilMs` and runs it. If there is none, advances to `untilMs` and returns false. */
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

  /** Advances by `durationMs` and runs due timers in order, letting every promise settle before and after each one. */
  async advance(durationMs: number): Promise<void> {
    const untilMs = this.#nowMs + durationMs;
    do await settled();
    while (this.step(untilMs));
  }

  /** Like `advance`, for code without promises. */
  advanceSync(durationMs: number): void {
    const untilMs = this.#nowMs + durationMs;
    while (this.step(untilMs));
  }

  /** Lets time pass without firing timers, as when the event loop is blocked. Overdue timers run at the next advance. */
  stall(durationMs: number): void {
    this.#nowMs += durationMs;
  }

  /** A new view: the clock of one machine. */
  view(): ClockView {
    return new ClockView(this);
  }

  /** For timers and views only, like `disposed`. */
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
 * Times are rounded to a grid of a power of two, which makes their sums and differences exact. Otherwise a timer for the end of a
 * lease could fire a rounding error too early, over and over.
 */
const TICKS_PER_MS = 1_024;

function onTheGrid(atMs: number): number {
  return Math.ceil(atMs * TICKS_PER_MS) / TICKS_PER_MS;
}

const NO_TIMER: Disposable = { [Symbol.dispose]: () => {} };

/** The clock of one machine: it can be paused and stopped, and its wall time can be wrong. */
export class ClockView implements Clock {
  readonly #world: VirtualClock;
  /** Timers that fell due while paused, in order. */
  #held: Timer[] = [];
  #paused = false;
  #stopped = false;
  /** Added to the world's wall time. */
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

  /** Called by the world when a timer of this machine falls due. */
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

  /** Stops running timers and holds those that fall due, as in a stall of the event loop or after SIGSTOP. */
  pause(): void {
    this.#paused = true;
  }

  /** Runs the held timers, each in a step of its own. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const held = this.#held;
    this.#held = [];
    for (const timer of held) this.#world.start(timer, 0);
  }

  /** Stops this clock for good, because its process has ended. */
  stop(): void {
    this.#stopped = true;
    this.#held = [];
  }
}

/** Resolves after one turn of the real event loop, when every promise that can settle has settled. */
export function settled(): Promise<void> {
  return new Promise((resolve) => void systemClock.schedule(0, resolve));
}
