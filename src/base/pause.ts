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
