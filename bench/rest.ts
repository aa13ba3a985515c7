import { systemClock } from "../src/base/clock.ts";

/** Waits for the after-effects of a measurement to end, so that they do not affect the next. */
export function rest(durationMs: number): Promise<void> {
  return new Promise((resolve) => {
    systemClock.schedule(durationMs, resolve);
  });
}
