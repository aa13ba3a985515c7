/** Both ends of a log, each with its place in the chain. Pure. */
import { CHAIN_START } from "./chain.ts";

/** The row before the first one in the database: the beginning of the log, or the end of its archives. */
export interface LogStart {
  readonly seq: number;
  /** The hash that the next row follows (chain.ts). */
  readonly chainHash: string;
}

/** Before the first row ever appended. */
export const LOG_BEGINNING: LogStart = { seq: 0, chainHash: CHAIN_START };

/** The newest row of a log; `seq` is 0 and `atMs` null if it is empty. */
export interface LogHead extends LogStart {
  /** Wall time of that row. */
  readonly atMs: number | null;
}

/** The head of a log without rows. */
export const NO_ROWS: LogHead = { ...LOG_BEGINNING, atMs: null };

/** How a log that ends at `head` contradicts a head recorded earlier; null if it does not. */
export function contradictionOf(recorded: LogStart, head: LogHead, chainHashAt: (seq: number) => string | null): string | null {
  const { seq, chainHash } = recorded;
  if (seq > head.seq) return `seq ${seq}, the log ends at seq ${head.seq}`;
  const found = seq === 0 ? CHAIN_START : chainHashAt(seq);
  return found === chainHash
    ? null
    : `chain hash ${chainHash} for seq ${seq}, the log, which ends at seq ${head.seq}, has ${found} there`;
}
