/**
 * Ports for time and randomness. Nothing else in src/ calls Date.now, performance.now, setTimeout, setInterval or
 * Math.random (a test enforces it), so the whole program also runs on a virtual clock and a single seed.
 */
import { randomFillSync } from "node:crypto";

export interface Clock {
  /** Wall time in ms since the epoch. May jump; only for people and for the log. */
  wallMs(): number;
  /** Monotonic time in ms from an arbitrary start. Decisions use only this. */
  monotonicMs(): number;
  /** Runs `task` once after `delayMs`; dispose to cancel. The timer never keeps the process alive. */
  schedule(delayMs: number, task: () => void): Disposable;
}

export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** `length` random bytes. */
  bytes(length: number): Uint8Array;
}

/** Node fires timers of more than 2^31-1 ms (24.8 days) immediately, so longer delays are capped. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  schedule(delayMs, task) {
    if (delayMs <= 0) return inThisTurn(task);
    const timer = setTimeout(task, Math.min(delayMs, LONGEST_TIMER_MS));
    timer.unref();
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};

/**
 * Node rounds a 0 ms timer up to 1 ms, which would delay every event by that much. Not unref'd, because an unref'd immediate
 * waits until something else wakes the event loop.
 */
function inThisTurn(task: () => void): Disposable {
  const immediate = setImmediate(task);
  return { [Symbol.dispose]: () => clearImmediate(immediate) };
}

/**
 * Node polls for I/O between two rounds of immediates, which costs more than a turn, so many immediates share a round. Microtasks
 * still run before each immediate.
 */
const TURNS_PER_ROUND = 64;

/**
 * Calls `turn` repeatedly, each time as its own macrotask, until it returns false. All pending microtasks run between two calls.
 * Rejects with what `turn` throws.
 */
export function turns(turn: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    const next = () => {
      if (isOver) return;
      try {
        isOver = !turn();
        if (isOver) resolve();
      } catch (thrown) {
        isOver = true;
        reject(thrown as Error);
      }
    };
    const round = () => {
      if (isOver) return;
      for (let count = 0; count < TURNS_PER_ROUND; count++) setImmediate(next);
      setImmediate(round);
    };
    round();
  });
}

export const systemRandom: Random = {
  next: () => Math.random(),
  bytes: (length) => randomFillSync(new Uint8Array(length)),
};

/** Runs `task` every `periodMs` until disposed. Each period is scaled by a random factor in [1 - jitter, 1 + jitter). */
export function repeat(clock: Clock, random: Random, periodMs: number, jitter: number, task: () => void): Disposable {
  let timer: Disposable | undefined;
  let disposed = false;
  const next = () => {
    timer = clock.schedule(jittered(random, periodMs, jitter), () => {
      task();
      if (!disposed) next();
    });
  };
  next();
  return {
    [Symbol.dispose]: () => {
      disposed = true;
      timer?.[Symbol.dispose]();
    },
  };
}

/** `valueMs` scaled by a random factor in [1 - jitter, 1 + jitter). */
export function jittered(random: Random, valueMs: number, jitter: number): number {
  return valueMs * (1 - jitter + 2 * jitter * random.next());
}

/**
 * A signal that aborts with `reason` after `delayMs`, or earlier with the reason of `parent`. Dispose it once the work has
 * settled.
 */
export function deadline(
  clock: Clock,
  delayMs: number,
  reason: () => Error,
  parent?: AbortSignal,
): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  const onParentAbort = () => controller.abort(parent?.reason);
  if (parent?.aborted === true) onParentAbort();
  parent?.addEventListener("abort", onParentAbort, { once: true });
  const timer = clock.schedule(delayMs, () => controller.abort(reason()));
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      timer[Symbol.dispose]();
      parent?.removeEventListener("abort", onParentAbort);
    },
  };
}
