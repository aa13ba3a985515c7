/** Checks the end of the log against heads recorded elsewhere: in the head file, or published. */

import { basename, dirname } from "node:path";
import type { Database } from "better-sqlite3";
import { type HeadRecord, headFileIn, readHeadFile } from "../head/head-file.ts";
import { type Finding, rowPlace } from "../model/finding.ts";
import type { LogStart } from "../model/log-head.ts";
import { DATABASE_NAME } from "../sql/data-directory.ts";

/** A head recorded outside the database. */
export interface KnownHead {
  /** Where it was recorded, for example `oc-partnerd.head`. */
  readonly from: string;
  readonly seq: number;
  /** The chain hash, or its first characters. */
  readonly hashPrefix: string;
}

interface HeadBeside {
  /** The name of the head file. */
  readonly from: string;
  readonly head: KnownHead | null;
  readonly isMissing: boolean;
  readonly findings: readonly Finding[];
}

/**
 * The head in the head file beside a daemon's database; a copy of a database has none. Throws `database_failed` if it cannot be
 * read.
 */
export function headBeside(file: string): HeadBeside {
  const path = headFileIn(dirname(file));
  const from = basename(path);
  const record: HeadRecord = basename(file) === DATABASE_NAME ? readHeadFile(path) : { kind: "none" };
  switch (record.kind) {
    case "none":
      return { from, head: null, isMissing: true, findings: [] };
    case "damaged":
      return { from, head: null, isMissing: false, findings: [{ place: from, problem: `is damaged: ${record.why}` }] };
    case "head":
      return { from, head: { from, seq: record.head.seq, hashPrefix: record.head.chainHash }, isMissing: false, findings: [] };
  }
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
  // Archived rows are checked against their archive.
  if (seq < start.seq) return;
  const found = seq === start.seq ? start.chainHash : chainHashAt(database, seq);
  if (found?.startsWith(hashPrefix) === true) return;
  const problem = `chain_hash is ${found ?? "missing"}, ${from} names ${hashPrefix}: this row, or one before it, was changed`;
  yield { place: rowPlace(seq), problem };
}

function chainHashAt(database: Database, seq: number): string | null | undefined {
  return database.prepare<[number], string | null>("select chain_hash from event_log where seq = ?").pluck().get(seq);
}
