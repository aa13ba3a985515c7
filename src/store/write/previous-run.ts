/** How long the previous run can have lived after its last row. Pure. */

/** The daemon renews its sign of life this often. */
export const SIGN_OF_LIFE_EVERY_MS = 10_000;

/** A renewal may be late by as much again. */
const MAX_SIGN_AGE_MS = 2 * SIGN_OF_LIFE_EVERY_MS;

interface PreviousRun {
  /** The newest row that a run can have written, wall ms; null if there is none. */
  readonly lastRowAtMs: number | null;
  /** Its last sign of life, wall ms; null if unknown. */
  readonly lastAliveMs: number | null;
  readonly nowMs: number;
}

/**
 * When a run that did not shut down was last alive, wall ms. Its newest row is newer than the last sign of life if it died soon after
 * writing it. A row much newer was written while the clock was wrong.
 */
export function aliveUntilMs({ lastRowAtMs, lastAliveMs, nowMs }: PreviousRun): number {
  if (lastAliveMs === null) return lastRowAtMs ?? nowMs;
  const isRowOfThatRun = lastRowAtMs !== null && lastRowAtMs > lastAliveMs && lastRowAtMs - lastAliveMs <= MAX_SIGN_AGE_MS;
  if (isRowOfThatRun) return lastRowAtMs;
  return Math.min(Math.round(lastAliveMs), Math.max(Math.round(nowMs), lastRowAtMs ?? 0));
}
