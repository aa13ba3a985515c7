/** Repeats of a logged failure, which are counted and not logged. Pure. */
import { checksumOf } from "./checksum.ts";

/** How often the failure logged as `firstSeq` came again, and when last (wall ms). */
export interface Repetition {
  readonly firstSeq: number;
  readonly count: number;
  readonly lastAtMs: number;
}

/** What the checksum of a row has to be. */
export function repetitionChecksum({ firstSeq, count, lastAtMs }: Repetition): string {
  return checksumOf([firstSeq, count, lastAtMs]);
}
