/** Deletes archived rows in transactions so short that a running daemon hardly notices. */
import Database from "better-sqlite3";
import type { Clock } from "../../base/clock.ts";
import { archiveRows } from "../sql/statements/archive-rows.ts";

const ROWS_AT_ONCE = 500;

/** At a start: bounded, so that the start is not delayed. */
const ROWS_AT_START = 10_000;

/**
 * A writer waiting for SQLite's lock polls at growing intervals and blocks its event loop, so leave the lock free most of the
 * time.
 */
const REST_SHARE = 3;
const SHORTEST_REST_MS = 5;

/**
 * Condition on a row of `repeated_failures`: its failure is over. A current failure keeps its row, because it is still counted and
 * `peer_status` shows the count.
 */
export const IS_OVER = `
  first_seq not in (select error_seq from peer_status_row where error_seq is not null)
  and first_seq not in (select refusal_seq from peer_status_row where refusal_seq is not null)`;

const DELETE_COUNTS = `delete from repeated_failures where first_seq between ? and ? and ${IS_OVER}`;

/**
 * Deletes up to `maxRows` rows at or below the newest anchor, oldest first, with the counts of their failures, in one transaction.
 * Returns the number of rows deleted.
 */
function removeArchivedRows(database: Database.Database, maxRows = ROWS_AT_ONCE): number {
  const archivedUntil = archiveRows(database).newestAnchor()?.lastSeq ?? 0;
  const oldest = database.prepare<[number], number | null>("select min(seq) from event_log where seq <= ?").pluck();
  if (typeof oldest.get(archivedUntil) !== "number") return 0;
  const remove = database.transaction(() => {
    const first = oldest.get(archivedUntil);
    if (typeof first !== "number") return 0;
    const last = Math.min(first + maxRows - 1, archivedUntil);
    database.prepare(DELETE_COUNTS).run(first, last);
    return database.prepare("delete from event_log where seq <= ?").run(last).changes;
  });
  return remove.immediate();
}

/**
 * Deletes what an interrupted archive left, at a start. If the disk is full or busy the rows stay for the next start, which is
 * harmless.
 */
export function removeLeftovers(database: Database.Database): void {
  try {
    removeArchivedRows(database, ROWS_AT_START);
  } catch (thrown) {
    if (!(thrown instanceof Database.SqliteError)) throw thrown;
  }
}

/** Deletes all archived rows, with pauses in which other connections can write. Returns the number of rows deleted. */
export async function removeArchived(
  database: Database.Database,
  clock: Clock,
  onRemoved: (rows: number) => void,
): Promise<number> {
  let total = 0;
  for (;;) {
    const startedMs = clock.monotonicMs();
    const removed = removeArchivedRows(database);
    if (removed === 0) return total;
    total += removed;
    onRemoved(total);
    const tookMs = clock.monotonicMs() - startedMs;
    await new Promise<void>((resolve) => clock.schedule(Math.max(SHORTEST_REST_MS, REST_SHARE * tookMs), resolve));
  }
}
