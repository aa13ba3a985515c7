/** Plans an archive: which rows it will hold, and how much space that will free. Reads only. */
import type { Database } from "better-sqlite3";
import type { Tables } from "../sql/statements/tables.ts";

/** A point in the log, by row or by wall time. */
export type LogPlace = { readonly seq: number } | { readonly atMs: number };

/** Both ends are inclusive. Times are wall ms. */
export interface ArchivePlan {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly events: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  /** The hash of row `lastSeq`. */
  readonly lastChainHash: string;
  /** Name of the file. */
  readonly file: string;
}

/** Rows whose time says that they belong on the other side of the point: the clock was wrong when they were written. */
export interface Misdated {
  /** Number of rows that are moved although they are dated later. */
  readonly moved: number;
  /** Number of rows that stay although they are dated earlier, and the first of the rows before them that are dated later. */
  readonly kept: number;
  readonly behind: { readonly seq: number; readonly atMs: number } | undefined;
  /** The seq before which everything dated earlier is; undefined if none stays. */
  readonly allBeforeSeq: number | undefined;
}

const NONE_MISDATED: Misdated = { moved: 0, kept: 0, behind: undefined, allBeforeSeq: undefined };

interface Planned {
  /** Undefined if there is nothing to move. */
  readonly plan: ArchivePlan | undefined;
  readonly misdated: Misdated;
}

/**
 * Plans to archive the rows before `before`. The newest row always stays. A time is between two rows: where the fewest rows are on the
 * wrong side of it, and of several such places, the earliest. So neither a few rows from the future nor a few from the past decide.
 */
export function planArchive(database: Database, rows: Tables, before: LogPlace): Planned {
  const afterSeq = rows.newestAnchor()?.lastSeq ?? 0;
  const newestSeq = rows.head()?.seq ?? 0;
  const { limit, misdated } =
    "seq" in before ? { limit: before.seq, misdated: NONE_MISDATED } : limitAt(database, afterSeq, before.atMs, newestSeq);
  return { plan: planBefore(database, afterSeq, Math.min(limit, newestSeq)), misdated };
}

function planBefore(database: Database, afterSeq: number, limit: number): ArchivePlan | undefined {
  const [firstSeq, lastSeq] = [afterSeq + 1, limit - 1];
  const [first, last] = [rowAt(database, firstSeq), rowAt(database, lastSeq)];
  if (first === undefined || last === undefined || lastSeq < firstSeq) return undefined;
  return {
    firstSeq,
    lastSeq,
    events: lastSeq - firstSeq + 1,
    firstAtMs: first.atMs,
    lastAtMs: last.atMs,
    lastChainHash: last.chainHash,
    file: `oc-partnerd-events-${firstSeq}-${lastSeq}.jsonl.gz`,
  };
}

/** Estimated bytes that the rows and their index entries take in the database file. */
export function plannedBytes(database: Database, rows: Tables, { events, firstSeq }: ArchivePlan): number {
  const query = `select coalesce(sum(pgsize), 0) from dbstat('main', 1)
    where name = 'event_log' or name in (select name from sqlite_schema where type = 'index' and tbl_name = 'event_log')`;
  const bytes = database.prepare<[], number>(query).pluck().get() ?? 0;
  const all = (rows.head()?.seq ?? 0) - firstSeq + 1;
  return Math.round((bytes * events) / Math.max(all, 1));
}

/** The first seq that stays. */
function limitAt(
  database: Database,
  afterSeq: number,
  atMs: number,
  newestSeq: number,
): { readonly limit: number; readonly misdated: Misdated } {
  const range = { afterSeq, newestSeq, atMs };
  const seqOf = (which: string) =>
    database
      .prepare<[typeof range], number | null>(`select ${which} and seq > :afterSeq and seq < :newestSeq`)
      .pluck()
      .get(range) ?? undefined;
  const firstLate = seqOf("min(seq) from event_log where at_ms >= :atMs") ?? newestSeq;
  const lastEarly = seqOf("max(seq) from event_log where at_ms < :atMs") ?? 0;
  if (lastEarly < firstLate) return { limit: firstLate, misdated: NONE_MISDATED };
  let [limit, moved] = [firstLate, 0];
  // The rows since `limit`.
  let [late, early] = [0, 0];
  const between = "select seq, at_ms >= ? as isLate from event_log where seq between ? and ? order by seq";
  type Row = { readonly seq: number; readonly isLate: 0 | 1 };
  for (const { seq, isLate } of database.prepare<[number, number, number], Row>(between).iterate(atMs, firstLate, lastEarly)) {
    if (isLate === 1) late += 1;
    else early += 1;
    if (early <= late) continue;
    moved += late;
    [limit, late, early] = [seq + 1, 0, 0];
  }
  if (early === 0) return { limit, misdated: { ...NONE_MISDATED, moved } };
  const behind = { seq: limit, atMs: rowAt(database, limit)?.atMs ?? atMs };
  return { limit, misdated: { moved, kept: early, behind, allBeforeSeq: lastEarly + 1 } };
}

function rowAt(database: Database, seq: number): { readonly atMs: number; readonly chainHash: string } | undefined {
  const query = "select at_ms as atMs, chain_hash as chainHash from event_log where seq = ?";
  return database.prepare<[number], { atMs: number; chainHash: string }>(query).get(seq);
}
