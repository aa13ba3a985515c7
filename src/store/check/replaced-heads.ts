/** Which published heads name rows that the log says it no longer has, because an older copy of it took its place. */
import type { Database } from "better-sqlite3";
import type { Replacement } from "../fold/archived-state.ts";
import { archiveRows } from "../sql/statements/archive-rows.ts";
import type { KnownHead } from "./head-check.ts";

/** A head, and the run that published it. */
export interface HeadOfRun extends KnownHead {
  readonly run: string;
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

/**
 * Adds to each head the replacement that may explain it: it names a row behind the copy, and none of the runs since then has published
 * it. A program that rewrites the log could write such a row, too.
 */
export function withReplacements(database: Database, heads: readonly HeadOfRun[]): readonly KnownHead[] {
  const rows = archiveRows(database);
  const inLog = database
    .prepare<[number], Pick<Replacement, "type" | "seq">>(REPLACEMENTS)
    .all(rows.newestAnchor()?.lastSeq ?? 0);
  const starts = database.prepare<[], StartOfRun>(STARTS).all();
  const startedSeq = new Map(starts.map(({ seq, run }) => [run, seq]));
  const publishers = new Set(heads.map(({ run }) => run));
  const replacements = [
    ...rows.archivedReplacements(),
    ...inLog.map((by) => ({ ...by, firstSeq: by.type === "LogRestored" ? by.seq : firstBehindCopy(by.seq, starts, publishers) })),
  ];
  return heads.map((head) => {
    const by = replacements.find(({ firstSeq }) => firstSeq <= head.seq && (startedSeq.get(head.run) ?? 0) < firstSeq);
    return by === undefined ? head : { ...head, replacedBy: by };
  });
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
