/** Retries for the start of the daemon while another process holds the database's lock, between turns of the event loop. */
import type { Clock } from "../../base/clock.ts";
import { toPartnerdError } from "../../base/errors.ts";
import { pause } from "../../base/pause.ts";

const RETRY_WITHIN_MS = 5_000;
const RETRY_AFTER_MS = 50;

export interface Retrying {
  readonly clock: Clock;
  /** Stops the retries, which then reject with the signal's reason. */
  readonly signal: AbortSignal;
}

/** The result of `work`, which is tried again for at most 5 s while it fails because of a lock. Rejects with its last error. */
export async function retriedWhileLocked<Result>(work: () => Result, { clock, signal }: Retrying): Promise<Result> {
  const untilMs = clock.monotonicMs() + RETRY_WITHIN_MS;
  for (;;) {
    try {
      return work();
    } catch (thrown) {
      if (toPartnerdError(thrown).details.isPassing !== true || clock.monotonicMs() >= untilMs) throw thrown;
      await pause(clock, RETRY_AFTER_MS, signal);
      signal.throwIfAborted();
    }
  }
}
