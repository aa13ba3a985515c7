/** Polls for conditions that have no event, and fails at the deadline with a description. */
import { setTimeout as delay } from "node:timers/promises";
import { type Bound, paceMs, startStopwatch } from "./pace/pace.ts";

/** Polling costs CPU too, so it gets rarer the longer the wait. */
const LOOK_EVERY_MS = 5;
const LOOK_AT_LEAST_EVERY_MS = 50;
const SHARE_OF_WAIT = 0.02;

const DEADLINE_MS = 10_000;

/** The first result of `look` that is neither undefined nor false. The deadline is in machine time; `look` runs once more after it. */
export async function until<Result>(
  what: string,
  look: () => Result | undefined | false | Promise<Result | undefined | false>,
  limit: number | Bound = DEADLINE_MS,
): Promise<Result> {
  const limitMs = paceMs(limit);
  const stopwatch = startStopwatch();
  for (;;) {
    const elapsedMs = stopwatch.elapsedMs();
    const result = await look();
    if (result !== undefined && result !== false) return result;
    if (elapsedMs > limitMs) throw new Error(`not within ${Math.round(limitMs)} ms: ${what} (${stopwatch})`);
    await delay(Math.min(LOOK_AT_LEAST_EVERY_MS, Math.max(LOOK_EVERY_MS, elapsedMs * SHARE_OF_WAIT)));
  }
}
