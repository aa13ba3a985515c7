/** Waiting that always ends when its signal does. */
import type { Clock } from "./clock.ts";

/** Resolves after `delayMs`, or as soon as `signal` aborts; the caller looks at the signal again. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = () => {
      timer[Symbol.dispose]();
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = clock.schedule(delayMs, finish);
    signal.addEventListener("abort", finish, { once: true });
  });
}

/**
 * The outcome of `work`, or the signal's reason the moment it aborts. Work that outlives its signal is not lost:
 * a late result goes to `onLate`, a late failure is what an abort looks like and is dropped.
 */
export function abortable<Result>(
  work: Promise<Result>,
  signal: AbortSignal,
  onLate: (result: Result) => void = () => {},
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(
      (result) => {
        if (signal.aborted) onLate(result);
        signal.removeEventListener("abort", onAbort);
        resolve(result);
      },
      (error: unknown) => {
        signal.removeEventListener("abort", onAbort);
        reject(error as Error);
      },
    );
  });
}
