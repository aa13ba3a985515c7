/** Compares the log with a head that was recorded elsewhere. */
import type { Database } from "better-sqlite3";
import { contradictionOf, type LogStart, NO_ROWS } from "../model/log-head.ts";
import type { Tables } from "../sql/statements/tables.ts";

/** How the log contradicts `recorded`, in words; null if it does not, or if only an archive file can tell. */
export function contradictionIn(database: Database, rows: Tables, recorded: LogStart): string | null {
  const anchor = rows.newestAnchor();
  if (recorded.seq < (anchor?.lastSeq ?? 0)) return null;
  const chainHash = database.prepare<[number], string | null>("select chain_hash from event_log where seq = ?").pluck();
  const chainHashAt = (seq: number) => (seq === anchor?.lastSeq ? anchor.lastChainHash : (chainHash.get(seq) ?? null));
  return contradictionOf(recorded, rows.head() ?? NO_ROWS, chainHashAt);
}
