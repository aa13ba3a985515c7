import { systemClock } from "../src/base/clock.ts";

/** Lets what the last measurement left behind come to its end, so that it does not count for the next. */
export function rest(durationMs: number): Promise<void> {
  return new Promise((resolve) => {
    systemClock.schedule(durationMs, resolve);
  });
}
