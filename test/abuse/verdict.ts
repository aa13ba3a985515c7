/** The bounds that hold whatever strangers do, and the table of the measurements. */
import type { Measurement } from "./measure.ts";

const MAX_GAP_MS = 5_000;
const MAX_BACK_MS = 3_000;
const MAX_MEMORY_MIB = 150;
const MAX_ROWS_A_MINUTE = 60;

/** The bounds that the measurement exceeds, as text. `tolerance` multiplies those of times and memory. */
export function faultsOf(measurement: Measurement, tolerance: number): readonly string[] {
  const { lost, longestGapMs, backMs, memoryMiB, rows, seconds, slowestAnswerMs } = measurement;
  const maxRows = MAX_ROWS_A_MINUTE * Math.max(1, seconds / 60);
  return [
    ...(lost > 0 ? [`${lost} streams of partners lost`] : []),
    ...(longestGapMs > MAX_GAP_MS * tolerance ? [`${Math.round(longestGapMs)} ms without a heartbeat`] : []),
    ...(backMs === undefined || backMs > MAX_BACK_MS * tolerance
      ? [`a restarted partner was not back within ${MAX_BACK_MS * tolerance} ms`]
      : []),
    ...(memoryMiB > MAX_MEMORY_MIB * tolerance ? [`${Math.round(memoryMiB)} MiB more memory than idle`] : []),
    ...(rows > maxRows ? [`${rows} rows in ${Math.round(seconds)} s`] : []),
    ...(slowestAnswerMs === undefined ? ["a health check was not answered"] : []),
  ];
}

export const HEADER = [
  "| attack | streams lost | longest wait for a heartbeat, ms | restarted partner back, ms | memory over idle, MiB | rows | slowest /livez, ms | loop lag, ms |",
  "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
];

export function lineOf(measurement: Measurement): string {
  const { scenario, lost, longestGapMs, backMs, memoryMiB, rows, slowestAnswerMs, lagMs } = measurement;
  const cells = [lost, longestGapMs, backMs, memoryMiB, rows, slowestAnswerMs, lagMs].map((value) =>
    value === undefined ? "never" : Math.round(value).toLocaleString("en"),
  );
  return `| ${[scenario, ...cells].join(" | ")} |`;
}
