/** Deleting the rows that are in an archive: in transactions so short that a daemon beside hardly notices. */
import type { Database } from "better-sqlite3";
import type { Clock } from "../../clock.ts";
import { archiveRows } from "../archive-rows.ts";

const ROWS_AT_ONCE = 1_000;

/** What a failure comes to that is not over yet stays: its count goes on, and `peer_status` shows it. */
const DELETE_COUNTS = `
  delete from repeated_failures where first_seq between ? and ?
    and first_seq not in (select error_seq from peer_status_row where error_seq is not null)
    and first_seq not in (select refusal_seq from peer_status_row where refusal_seq is not null)`;

/**
 * Deletes up to `maxRows` rows at or below the newest anchor, oldest first, all in one transaction, with the counts of their failures.
 * Returns how many they were; 0 when none is left.
 */
export function removeArchivedRows(database: Database, maxRows = ROWS_AT_ONCE): number {
  const remove = database.transaction(() => {
    const until = archiveRows(database).newestAnchor()?.lastSeq ?? 0;
    const first = database.prepare<[number], number | null>("select min(seq) from event_log where seq <= ?").pluck().get(until);
    if (first === undefined || first === null) return 0;
    const last = Math.min(first + maxRows - 1, until);
    database.prepare(DELETE_COUNTS).run(first, last);
    return database.prepare("delete from event_log where seq <= ?").run(last).changes;
  });
  return remove.immediate();
}

/** Deletes all of them. Rests between two transactions for as long as one takes, so that others get to write. */
export async function removeArchived(database: Database, clock: Clock, onRemoved: (rows: number) => void): Promise<number> {
  let total = 0;
  for (;;) {
    const startedMs = clock.monotonicMs();
    const removed = removeArchivedRows(database);
    if (removed === 0) return total;
    total += removed;
    onRemoved(total);
    const tookMs = clock.monotonicMs() - startedMs;
    await new Promise<void>((resolve) => clock.schedule(Math.max(1, tookMs), resolve));
  }
}
