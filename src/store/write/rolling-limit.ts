/** A bound on how often something may happen in any window of time. */

export interface RollingLimit {
  /** Whether it may happen at `nowMs` (monotonic); if so, it has. */
  take(nowMs: number): boolean;
}

export function rollingLimit(maxTimes: number, windowMs: number): RollingLimit {
  const takenAtMs: number[] = [];
  return {
    take(nowMs) {
      while (takenAtMs[0] !== undefined && takenAtMs[0] <= nowMs - windowMs) takenAtMs.shift();
      if (takenAtMs.length >= maxTimes) return false;
      takenAtMs.push(nowMs);
      return true;
    },
  };
}
