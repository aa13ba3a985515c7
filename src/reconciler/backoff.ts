/** When to try again. Pure: the waits of one key as a value, and its arrows. */
import type { Random } from "../clock.ts";
import type { ErrorCode } from "../errors.ts";

/** The wait before the first retry is drawn below this, doubled for each further one. */
const BASE_MS = 500;
const CAP_MS = 60_000;
/** A stream that stood this long was no fluke: the count of failures starts again (lnd's rule, PITFALLS). */
export const STABLE_MS = 60_000;
/** Full jitter may draw nearly nothing; this keeps a failing key from spinning. */
const LEAST_MS = 50;
/** A sign of life ends a wait no sooner than this after the failure, so that a flapping peer cannot make us dial at its pace. */
const SIGN_OF_LIFE_LEAST_MS = 1_000;

/** Failures that the far end chose, or that only a person can mend, are not worth repeating as soon as a timeout is. */
const FLOORS_MS: Partial<Record<ErrorCode, number>> = {
  refused: 3_000,
  identity_mismatch: 10_000,
  protocol_unsupported: 10_000,
};

function floorMs(code: ErrorCode): number {
  return FLOORS_MS[code] ?? 0;
}

/** The last failure of a key, as shown in status and as `decide` reads it. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly failedAtMs: number;
}

/**
 * The retry state of one key:
 * `fresh` (nothing went wrong since the generation began) -> `waiting` after a failure -> `standing` once established
 * -> `waiting` again when the stream is lost. `stopped` waits for a new generation. A new generation is always `fresh`.
 */
export type Retry =
  | { readonly state: "fresh" }
  | { readonly state: "waiting"; readonly attempts: number; readonly notBeforeMs: number; readonly failure: Failure }
  | { readonly state: "standing"; readonly attempts: number; readonly sinceMs: number }
  | { readonly state: "stopped"; readonly attempts: number; readonly failure: Failure };

export const FRESH: Retry = { state: "fresh" };

/** fresh | waiting -> waiting, standing (lost) -> waiting: one failure more, unless the stream had stood for STABLE_MS. */
export function failed(before: Retry, failure: Failure, random: Random): Retry {
  const attempts = failuresBefore(before, failure.failedAtMs) + 1;
  const ceilingMs = Math.min(CAP_MS, BASE_MS * 2 ** Math.min(attempts - 1, 16));
  const drawnMs = Math.max(LEAST_MS, random.next() * ceilingMs);
  const leastMs = floorMs(failure.code) * (1 + random.next() / 5);
  return { state: "waiting", attempts, notBeforeMs: failure.failedAtMs + Math.max(drawnMs, leastMs), failure };
}

/** any -> standing. The count stays until the stream has proved stable. */
export function established(before: Retry, nowMs: number): Retry {
  return { state: "standing", attempts: failuresBefore(before, nowMs), sinceMs: nowMs };
}

/** any -> stopped: trying again cannot help before the desired state changes. */
export function stopped(before: Retry, failure: Failure): Retry {
  return { state: "stopped", attempts: failuresBefore(before, failure.failedAtMs) + 1, failure };
}

/** The earliest time of the next attempt; Infinity where only a new generation helps. */
export function mayOpenAtMs(retry: Retry, lastSignOfLifeMs: number | null): number {
  switch (retry.state) {
    case "fresh":
    case "standing":
      return 0;
    case "waiting": {
      const { failedAtMs, code } = retry.failure;
      const showedLife = lastSignOfLifeMs !== null && lastSignOfLifeMs > failedAtMs;
      return showedLife
        ? Math.min(retry.notBeforeMs, failedAtMs + Math.max(SIGN_OF_LIFE_LEAST_MS, floorMs(code)))
        : retry.notBeforeMs;
    }
    case "stopped":
      return Number.POSITIVE_INFINITY;
  }
}

/** How many failures in a row the key has behind it, for status. */
export function attemptsOf(retry: Retry): number {
  return retry.state === "fresh" ? 0 : retry.attempts;
}

function failuresBefore(before: Retry, nowMs: number): number {
  if (before.state === "fresh") return 0;
  return before.state === "standing" && nowMs - before.sinceMs >= STABLE_MS ? 0 : before.attempts;
}
