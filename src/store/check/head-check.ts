/** Checks the log against heads recorded elsewhere: in the head file, or published. */

import { basename, dirname } from "node:path";
import type { Database } from "better-sqlite3";
import type { Replacement } from "../fold/archived-state.ts";
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
  /** Why the log may rightly contradict it. */
  readonly explainedBy?: HeadExplanation;
}

/** Rows of an older copy of the log may have taken the place of its row, or a clone may have published it. */
export type HeadExplanation = Replacement | CloneExplanation;

interface CloneExplanation {
  readonly type: "CloneSeen";
  /** The clone's. */
  readonly run: string;
  readonly seq: number;
  /** The row that the finding is about: its own. */
  readonly firstSeq: number;
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
  const found = hashAt(database, seq, start);
  if (found === "archived" || found?.startsWith(hashPrefix) === true) return;
  const problem = `chain_hash is ${found ?? "missing"}, ${from} names ${hashPrefix}: this row, or one before it, was changed`;
  yield { place: rowPlace(seq), problem };
}

/** `archived`: only the archive file has it (archive-check.ts). */
export function hashAt(database: Database, seq: number, start: LogStart): string | null | undefined {
  if (seq === start.seq) return start.chainHash;
  const read = (sql: string) => database.prepare<[number], string | null>(sql).pluck().get(seq);
  if (seq > start.seq) return read("select chain_hash from event_log where seq = ?");
  return read("select last_chain_hash from archive_anchor where last_seq = ?") ?? "archived";
}
