/** Which published heads name rows that the log says it does not have: an older copy took its place, or a clone published them. */
import type { Database } from "better-sqlite3";
import type { Replacement } from "../fold/archived-state.ts";
import { LOG_BEGINNING } from "../model/log-head.ts";
import { archiveRows } from "../sql/statements/archive-rows.ts";
import { type HeadExplanation, hashAt, type KnownHead } from "./head-check.ts";

/** A head, the run that published it, and its place among all that were published. */
export interface HeadOfRun extends KnownHead {
  readonly run: string;
  readonly sequence: number;
}

interface StartOfRun {
  readonly seq: number;
  readonly run: string | null;
}

const REPLACEMENTS = `
  select type, seq from event_log
  where type in ('LogRestored', 'LogRolledBack') and effect is null and seq > ? order by seq`;

const STARTS = `
  select seq, json_extract(details, '$.run') as run from event_log
  where type = 'DaemonStarted' and effect is null order by seq`;

const CLONES = `
  select seq, json_extract(details, '$.otherRun') as run from event_log
  where type = 'CloneSeen' and effect is null order by seq desc`;

/**
 * Adds to each head what may explain that the log contradicts it. A replacement may if the head names a row behind the copy, none of
 * the runs since then has published it, and it is older than the first head that agrees with a row behind the copy: the log that was
 * lost ended before. A clone's heads are explained by the CloneSeen that names its run. A program that rewrites the log could write
 * such rows, too.
 */
export function withExplanations(database: Database, heads: readonly HeadOfRun[]): readonly KnownHead[] {
  const rows = archiveRows(database);
  const anchor = rows.newestAnchor();
  const start = anchor === undefined ? LOG_BEGINNING : { seq: anchor.lastSeq, chainHash: anchor.lastChainHash };
  const inLog = database.prepare<[number], Pick<Replacement, "type" | "seq">>(REPLACEMENTS).all(start.seq);
  const starts = database.prepare<[], StartOfRun>(STARTS).all();
  const startedSeq = new Map(starts.map(({ seq, run }) => [run, seq]));
  const publishers = new Set(heads.map(({ run }) => run));
  const agreeing = heads.filter(({ seq, hashPrefix }) => hashAt(database, seq, start)?.startsWith(hashPrefix) === true);
  const replacements = [
    ...rows.archivedReplacements(),
    ...inLog.map((by) => ({ ...by, firstSeq: by.type === "LogRestored" ? by.seq : firstBehindCopy(by.seq, starts, publishers) })),
  ].map((by) => ({ by, endSequence: firstSequenceFrom(by.firstSeq, agreeing) }));
  const clones = new Map(
    database
      .prepare<[], StartOfRun>(CLONES)
      .all()
      .map(({ seq, run }) => [run, seq]),
  );
  const explanationOf = ({ seq, run, sequence }: HeadOfRun): HeadExplanation | undefined => {
    const cloneSeq = clones.get(run);
    if (cloneSeq !== undefined) return { type: "CloneSeen", seq: cloneSeq, firstSeq: cloneSeq };
    return replacements.find(
      ({ by: { firstSeq }, endSequence }) => firstSeq <= seq && (startedSeq.get(run) ?? 0) < firstSeq && sequence < endSequence,
    )?.by;
  };
  return heads.map((head) => {
    const explainedBy = explanationOf(head);
    return explainedBy === undefined ? head : { ...head, explainedBy };
  });
}

/** The place of the first head that names a row from `firstSeq` on. */
function firstSequenceFrom(firstSeq: number, heads: readonly HeadOfRun[]): number {
  return Math.min(...heads.filter(({ seq }) => seq >= firstSeq).map(({ sequence }) => sequence));
}

/** `restore` appends its row at once; a copy that was put in place otherwise begins with the DaemonStarted of a run. */
function firstBehindCopy(seq: number, starts: readonly StartOfRun[], publishers: ReadonlySet<string>): number {
  let index = starts.findLastIndex((start) => start.seq < seq);
  const first = starts[index];
  if (first === undefined) return seq;
  // A run that could not reach the broker, and so not notice it, could not publish a head either.
  while (index > 0 && !publishers.has(starts[index - 1]?.run ?? "")) index -= 1;
  return starts[index]?.seq ?? seq;
}
