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

/** Plans to archive the rows before `before`; undefined if there are none. The newest row always stays. */
export function planArchive(database: Database, rows: Tables, before: LogPlace): ArchivePlan | undefined {
  const afterSeq = rows.newestAnchor()?.lastSeq ?? 0;
  const newestSeq = rows.head()?.seq ?? 0;
  const limit = "seq" in before ? before.seq : (firstSince(database, afterSeq, before.atMs) ?? newestSeq);
  const [firstSeq, lastSeq] = [afterSeq + 1, Math.min(limit, newestSeq) - 1];
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

function firstSince(database: Database, afterSeq: number, atMs: number): number | undefined {
  const query = "select min(seq) from event_log where seq > ? and at_ms >= ?";
  return database.prepare<[number, number], number | null>(query).pluck().get(afterSeq, atMs) ?? undefined;
}

function rowAt(database: Database, seq: number): { readonly atMs: number; readonly chainHash: string } | undefined {
  const query = "select at_ms as atMs, chain_hash as chainHash from event_log where seq = ?";
  return database.prepare<[number], { atMs: number; chainHash: string }>(query).get(seq);
}
