/** Checks the log against heads recorded elsewhere: in the head file, or published. */

import { basename, dirname } from "node:path";
import type { Database } from "better-sqlite3";
import { counted } from "../../base/units.ts";
import type { Replacement } from "../fold/archived-state.ts";
import { type HeadRecord, headFileIn, readHeadFile } from "../head/head-file.ts";
import { type Finding, rowPlace, type UnprovenClaim } from "../model/finding.ts";
import type { LogStart } from "../model/log-head.ts";
import { DATABASE_NAME } from "../sql/data-directory.ts";

/** A head recorded outside the database. */
export interface KnownHead {
  /** Where it was recorded, for example `oc-partnerd.head`. */
  readonly from: string;
  readonly seq: number;
  /** The chain hash, or its first characters. */
  readonly hashPrefix: string;
  /** If rows of an older copy of the log may have taken the place of its row. */
  readonly replacedBy?: Replacement;
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
function hashAt(database: Database, seq: number, start: LogStart): string | null | undefined {
  if (seq === start.seq) return start.chainHash;
  const read = (sql: string) => database.prepare<[number], string | null>(sql).pluck().get(seq);
  if (seq > start.seq) return read("select chain_hash from event_log where seq = ?");
  return read("select last_chain_hash from archive_anchor where last_seq = ?") ?? "archived";
}

const MOST_SHOWN = 3;

/** Heads that the daemon published to one place in the course of time. */
export interface HeadSeries {
  /** The place, for findings about all of them. */
  readonly from: string;
  readonly heads: readonly KnownHead[];
  /** Rows that record a replacement of the log which the operator knows of. */
  readonly confirmed?: readonly number[];
}

/** By seq, each with its findings. */
function comparedWith(database: Database, heads: readonly KnownHead[], lastSeq: number, start: LogStart) {
  const sorted = heads.toSorted((one, other) => one.seq - other.seq);
  return sorted.map((head) => ({ head, findings: [...headFindings(database, head, lastSeq, start)] }));
}

/** Heads that contradict the log because an older copy took its place, as the log itself says. */
interface ReplacedHeads {
  readonly by: Replacement;
  readonly heads: number;
  readonly lastSeq: number;
}

/** In the order of their rows. */
function replacedHeads(database: Database, { heads }: HeadSeries, lastSeq: number, start: LogStart): readonly ReplacedHeads[] {
  const replaced = new Map<number, ReplacedHeads>();
  for (const { head, findings } of comparedWith(database, heads, lastSeq, start)) {
    const { seq, replacedBy: by } = head;
    if (by !== undefined && findings.length > 0)
      replaced.set(by.seq, { by, heads: (replaced.get(by.seq)?.heads ?? 0) + 1, lastSeq: seq });
  }
  return [...replaced.values()].toSorted((one, other) => one.by.seq - other.by.seq);
}

function replacedText({ by, heads, lastSeq }: ReplacedHeads): string {
  return `an older copy of the log continued here, says ${by.type} at seq ${by.seq}, so ${counted(heads, "published head")} up to seq ${lastSeq} no longer apply`;
}

interface ReplacementReport {
  /** Replacements that are not confirmed: a program that rewrites the log could write such a row. */
  readonly findings: readonly Finding[];
  readonly claims: readonly UnprovenClaim[];
}

export function replacementReport(database: Database, series: HeadSeries, lastSeq: number, start: LogStart): ReplacementReport {
  const replaced = replacedHeads(database, series, lastSeq, start).map((each) => ({
    isConfirmed: series.confirmed?.includes(each.by.seq) === true,
    place: rowPlace(each.by.firstSeq),
    text: replacedText(each),
    seq: each.by.seq,
  }));
  return {
    findings: replaced
      .filter(({ isConfirmed }) => !isConfirmed)
      .map(({ place, text, seq }) => ({
        place,
        problem: `${text}; if an operator put it in place, confirm that with --restored ${seq}`,
      })),
    claims: replaced
      .filter(({ isConfirmed }) => isConfirmed)
      .map(({ place, text }) => ({
        place,
        claim: text,
        witness: "a copy of the database from before has the rows that it lost",
      })),
  };
}

/** The first that contradict the log, and how many of all do. */
export function* seriesFindings(
  database: Database,
  { from, heads }: HeadSeries,
  lastSeq: number,
  start: LogStart,
): Generator<Finding> {
  const found = comparedWith(database, heads, lastSeq, start).filter(
    ({ head, findings }) => findings.length === 0 || !head.replacedBy,
  );
  const contradicting = found.filter(({ findings }) => findings.length > 0);
  const [first] = contradicting;
  if (first === undefined) return;
  yield* contradicting.slice(0, MOST_SHOWN).flatMap(({ findings }) => findings);
  const agreeing = found.filter(({ findings }) => findings.length === 0);
  const before = agreeing.findLast(({ head }) => head.seq < first.head.seq);
  const after = agreeing.find(({ head }) => head.seq > first.head.seq);
  yield {
    place: from,
    problem: [
      `${contradicting.length} of ${counted(heads.length, "published head")} contradict the log`,
      before === undefined ? "none before them agrees" : `the last one before them that agrees has seq ${before.head.seq}`,
      ...(after === undefined ? [] : [`the next one that agrees has seq ${after.head.seq}`]),
    ].join("; "),
  };
}
