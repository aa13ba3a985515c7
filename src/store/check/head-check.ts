/** The end of the log against what is kept of it elsewhere: the head file, and a head that was published. */
import type { Database } from "better-sqlite3";
import { CHAIN_START } from "../chain.ts";
import { type Finding, rowPlace } from "../finding.ts";
import type { LogStart } from "./row-check.ts";

/** A head as somebody knows it. */
export interface KnownHead {
  /** Who knows it, such as `oc-partnerd.head`. */
  readonly from: string;
  readonly seq: number;
  /** The chain hash, or its first characters. */
  readonly hashPrefix: string;
}

export function* headFindings(
  database: Database,
  { from, seq, hashPrefix }: KnownHead,
  lastSeq: number,
  start: LogStart,
): Generator<Finding> {
  if (seq > lastSeq) {
    yield { place: rowPlace(lastSeq + 1, seq), problem: `gone: ${from} names seq ${seq}, the log ends at seq ${lastSeq}` };
    return;
  }
  // What is in an archive is compared there.
  if (seq < start.seq) return;
  const found = seq === start.seq ? start.chainHash : chainHashAt(database, seq);
  if (found?.startsWith(hashPrefix) === true) return;
  const problem = `chain_hash is ${found ?? "not there"}, ${from} names ${hashPrefix}: this row, or one before it, was changed`;
  yield { place: rowPlace(seq), problem };
}

function chainHashAt(database: Database, seq: number): string | null | undefined {
  return database.prepare<[number], string | null>("select chain_hash from event_log where seq = ?").pluck().get(seq);
}

/** In front of the first row that was ever appended. */
export const LOG_BEGINNING: LogStart = { seq: 0, chainHash: CHAIN_START };
