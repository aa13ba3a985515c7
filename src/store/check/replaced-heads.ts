/** Heads of rows that the log says it no longer has, because an older copy of it took its place. */
import type { Database } from "better-sqlite3";
import { counted } from "../../base/units.ts";
import { rowPlace, type UnprovenClaim } from "../model/finding.ts";
import type { KnownHead } from "./head-check.ts";

/** A head whose time is known. */
export interface TimedHead extends KnownHead {
  readonly atMs: number;
}

/** A row that records the replacement, and the first row after it. */
interface Replacement {
  readonly type: "LogRestored" | "LogRolledBack";
  readonly seq: number;
  readonly atMs: number;
  readonly firstSeq: number;
}

/** A start on an older copy appends its DaemonStarted first; `restore` appends its own row at once. */
const REPLACEMENTS = `
  select type, seq, at_ms as atMs,
    iif(type = 'LogRestored', seq, coalesce((
      select max(started.seq) from event_log as started
      where started.type = 'DaemonStarted' and started.effect is null and started.seq < replaced.seq
    ), seq)) as firstSeq
  from event_log as replaced
  where type in ('LogRestored', 'LogRolledBack') and effect is null
  order by seq`;

export interface SortedHeads {
  /** Those that the log must have. */
  readonly heads: readonly TimedHead[];
  readonly claims: readonly UnprovenClaim[];
}

/**
 * Sets apart the heads that a recorded replacement explains: they were published before it, and name rows that it took away. A program
 * that rewrites the log could write such a row, too, so they become a claim.
 */
export function withoutReplaced(database: Database, heads: readonly TimedHead[]): SortedHeads {
  const replacements = database.prepare<[], Replacement>(REPLACEMENTS).all();
  const replacementOf = ({ seq, atMs }: TimedHead) => replacements.find((by) => by.firstSeq <= seq && atMs < by.atMs);
  const claims = replacements.flatMap((by) => {
    const replaced = heads.filter((head) => replacementOf(head) === by);
    if (replaced.length === 0) return [];
    const seqs = replaced.map(({ seq }) => seq);
    return [
      {
        place: rowPlace(by.firstSeq),
        claim: `an older copy of the log continued here, says ${by.type} at seq ${by.seq}, so ${counted(replaced.length, "published head")} up to seq ${Math.max(...seqs)} no longer apply`,
        witness: "ask the operator who put it in place; a copy of the database from before has the rows",
      },
    ];
  });
  return { heads: heads.filter((head) => replacementOf(head) === undefined), claims };
}
