/** Waits for what no event tells: looks every few milliseconds until it is there, and fails at the deadline saying what was missing. */
import { setTimeout as delay } from "node:timers/promises";

const LOOK_EVERY_MS = 5;

/** The first result of `look` that is neither undefined nor false. */
export async function until<Result>(
  what: string,
  look: () => Result | undefined | false | Promise<Result | undefined | false>,
  deadlineMs = 10_000,
): Promise<Result> {
  const startedMs = performance.now();
  for (;;) {
    const result = await look();
    if (result !== undefined && result !== false) return result;
    if (performance.now() - startedMs > deadlineMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await delay(LOOK_EVERY_MS);
  }
}
