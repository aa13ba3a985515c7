/**
 * Ports for time and chance. Nothing else in src/ calls Date.now, performance.now, setTimeout, setInterval or
 * Math.random (a test enforces it), so that the whole program runs unchanged on a virtual clock and one seed.
 */
import { randomFillSync } from "node:crypto";

export interface Clock {
  /** Wall time, ms since the epoch. For people and for the log; it may jump. */
  wallMs(): number;
  /** Monotonic time in ms from an arbitrary start. The only time that decisions use. */
  monotonicMs(): number;
  /** Runs `task` once after `delayMs`; disposing before then cancels it. The timer never keeps the process alive. */
  schedule(delayMs: number, task: () => void): Disposable;
}

export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** `length` random bytes. */
  bytes(length: number): Uint8Array;
}

/** Node's clock rejects delays over 2^31-1 ms by firing at once; longer waits are simply capped and looked at again. */
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
 * Node rounds a timer of 0 ms up to 1 ms, which every event on its way to a stream would pay. Not unref'd: an immediate that
 * does not hold the event loop waits until something else wakes it.
 */
function inThisTurn(task: () => void): Disposable {
  const immediate = setImmediate(task);
  return { [Symbol.dispose]: () => clearImmediate(immediate) };
}

/**
 * Node's loop looks for I/O between two rounds of immediates, which costs more than a whole turn. Within a round, too, every promise
 * that can settle does so before the next immediate runs.
 */
const TURNS_PER_ROUND = 64;

/**
 * Calls `turn` as a macrotask of its own for as long as it returns true: between two calls every promise that can settle does.
 * Rejects with what it throws.
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

/** Runs `task` every `periodMs`, each period scaled by a random factor in [1 - jitter, 1 + jitter), until disposed. */
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

/** A signal that aborts with `reason` after `delayMs`, or with the reason of `parent` if that aborts first. Dispose it when the work has settled. */
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
