/** Waits that end when their signal aborts. */
import type { Clock } from "./clock.ts";

/** Resolves after `delayMs`, or as soon as `signal` aborts. Does not reject, so callers check the signal themselves. */
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
 * Settles like `work`, or rejects with the signal's reason as soon as it aborts. After an abort a result goes to `onLate`, and a
 * failure is dropped, because it is most likely the abort itself.
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
