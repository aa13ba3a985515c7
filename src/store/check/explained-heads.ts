/** Which published heads name rows that the log says it does not have: an older copy took its place, or a clone published them. */
import type { Database } from "better-sqlite3";
import type { Replacement, RunRow } from "../fold/archived-state.ts";
import { LOG_BEGINNING } from "../model/log-head.ts";
import { archiveRows } from "../sql/statements/archive-rows.ts";
import { type HeadExplanation, hashAt, type KnownHead } from "./head-check.ts";

/** A head, the run that published it, and its place among all that were published. */
export interface HeadOfRun extends KnownHead {
  readonly run: string;
  readonly sequence: number;
}

const REPLACEMENTS = `
  select type, seq from event_log
  where type in ('LogRestored', 'LogRolledBack') and effect is null and seq > ? order by seq`;

const RUNS = `
  select seq, json_extract(details, '$.run') as run from event_log
  where type = 'DaemonStarted' and effect is null and seq > ? order by seq`;

const CLONES = `
  select seq, json_extract(details, '$.otherRun') as run from event_log
  where type = 'CloneSeen' and effect is null and seq > ? order by seq`;

/**
 * Adds to each head what may explain that the log contradicts it. A replacement may if the head names a row behind the copy, and it is
 * older than the first head of the log that continued: one of a run that started behind the copy, or one that agrees with a row there.
 * The heads of a run that is not the log's are explained by the first CloneSeen that names it. A program that rewrites the log could
 * write such rows, too.
 */
export function withExplanations(database: Database, heads: readonly HeadOfRun[]): readonly KnownHead[] {
  const rows = archiveRows(database);
  const anchor = rows.newestAnchor();
  const start = anchor === undefined ? LOG_BEGINNING : { seq: anchor.lastSeq, chainHash: anchor.lastChainHash };
  const archived = rows.archivedRuns();
  const live = (sql: string) => database.prepare<[number], RunRow>(sql).all(start.seq);
  const inLog = database.prepare<[number], Pick<Replacement, "type" | "seq">>(REPLACEMENTS).all(start.seq);
  const starts = [...archived.runs, ...live(RUNS)];
  const startedSeq = new Map(starts.map(({ seq, run }) => [run, seq]));
  const clones = Map.groupBy([...archived.clones, ...live(CLONES)], ({ run }) => run);
  const publishers = new Set(heads.map(({ run }) => run));
  const inOrder = heads.toSorted((one, other) => one.sequence - other.sequence);
  const continuing = inOrder.map((head) => {
    const isAgreeing = hashAt(database, head.seq, start)?.startsWith(head.hashPrefix) === true;
    return { sequence: head.sequence, seq: Math.max(startedSeq.get(head.run) ?? 0, isAgreeing ? head.seq : 0) };
  });
  const replacements = [
    ...rows.archivedReplacements(),
    ...inLog.map((by) => ({ ...by, firstSeq: by.type === "LogRestored" ? by.seq : firstBehindCopy(by.seq, starts, publishers) })),
  ].map((by) => ({ by, endSequence: continuing.find(({ seq }) => seq >= by.firstSeq)?.sequence ?? Number.POSITIVE_INFINITY }));
  const explanationOf = ({ seq, run, sequence }: HeadOfRun): HeadExplanation | undefined => {
    const seen = startedSeq.has(run) ? undefined : clones.get(run)?.[0];
    if (seen !== undefined) return { type: "CloneSeen", ...seen, firstSeq: seen.seq };
    return replacements.find(({ by, endSequence }) => by.firstSeq <= seq && sequence < endSequence)?.by;
  };
  return heads.map((head) => {
    const explainedBy = explanationOf(head);
    return explainedBy === undefined ? head : { ...head, explainedBy };
  });
}

/** `restore` appends its row at once; a copy that was put in place otherwise begins with the DaemonStarted of a run. */
function firstBehindCopy(seq: number, starts: readonly RunRow[], publishers: ReadonlySet<string>): number {
  let index = starts.findLastIndex((start) => start.seq < seq);
  const first = starts[index];
  if (first === undefined) return seq;
  // A run that could not reach the broker, and so not notice it, could not publish a head either.
  while (index > 0 && !publishers.has(starts[index - 1]?.run ?? "")) index -= 1;
  return starts[index]?.seq ?? seq;
}
