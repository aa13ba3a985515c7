/** Repeats of a logged failure, which are counted but not logged. Pure. */
import { checksumOf } from "./checksum.ts";

/** How often the failure logged as `firstSeq` was repeated, and when last (wall ms). */
export interface Repetition {
  readonly firstSeq: number;
  readonly count: number;
  readonly lastAtMs: number;
}

/** The expected checksum of the row. */
export function repetitionChecksum({ firstSeq, count, lastAtMs }: Repetition): string {
  return checksumOf([firstSeq, count, lastAtMs]);
}
