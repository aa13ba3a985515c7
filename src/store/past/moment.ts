/** The row of the log that is in force at a time. */
import type { Database } from "better-sqlite3";

const IN_FORCE = `
  select seq from event_log
  where at_ms <= :atMs and seq > (select coalesce(max(last_seq), 0) from archive_anchor)
  order by at_ms desc, seq desc limit 1`;

/**
 * The row with the greatest time up to `atMs`, the newest if several have it; undefined if there is none outside the archives. A clock
 * that was wrong for a while misplaces only the rows written then. If it showed a time twice, either state may be found.
 */
export function seqAt(database: Database, atMs: number): number | undefined {
  return database.prepare<{ atMs: number }, { seq: number }>(IN_FORCE).get({ atMs })?.seq;
}
