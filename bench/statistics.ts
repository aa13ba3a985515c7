/** Summary of a set of samples. Quantiles are measured samples (nearest rank), not interpolated. */

export interface Summary {
  readonly samples: number;
  readonly minMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Throws if there are no samples. */
export function summarize(samplesMs: readonly number[]): Summary {
  const sorted = samplesMs.toSorted((one, other) => one - other);
  const quantile = (share: number): number => {
    const sample = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
    if (sample === undefined) throw new Error("no samples to summarize");
    return round(sample, 3);
  };
  return {
    samples: sorted.length,
    minMs: quantile(0),
    p50Ms: quantile(0.5),
    p90Ms: quantile(0.9),
    p99Ms: quantile(0.99),
    maxMs: quantile(1),
  };
}

export function ratio(measuredMs: number, referenceMs: number): number {
  return round(measuredMs / referenceMs, 3);
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
