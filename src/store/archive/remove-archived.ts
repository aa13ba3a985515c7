/** Deletes the rows of an archive, in transactions so short that a daemon beside hardly notices. */
import Database from "better-sqlite3";
import type { Clock } from "../../base/clock.ts";
import { archiveRows } from "../sql/statements/archive-rows.ts";

const ROWS_AT_ONCE = 500;

/** Enough for a start that does not wait for it. */
const ROWS_AT_START = 10_000;

/** Who waits for SQLite's lock looks for it ever more rarely, and with its event loop standing still: most of the time has to be his. */
const REST_SHARE = 3;
const SHORTEST_REST_MS = 5;

/** Of a row of `repeated_failures`: a failure that is not over yet keeps it, since its count goes on, and `peer_status` shows it. */
export const IS_OVER = `
  first_seq not in (select error_seq from peer_status_row where error_seq is not null)
  and first_seq not in (select refusal_seq from peer_status_row where refusal_seq is not null)`;

const DELETE_COUNTS = `delete from repeated_failures where first_seq between ? and ? and ${IS_OVER}`;

/**
 * Deletes up to `maxRows` rows at or below the newest anchor, oldest first, all in one transaction, with the counts of their failures.
 * Returns how many they were; 0 where there is none.
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

/** At a start: of what an interrupted archive run left. On a disk that is full or busy they stay for the next one; they count for nothing. */
export function removeLeftovers(database: Database.Database): void {
  try {
    removeArchivedRows(database, ROWS_AT_START);
  } catch (thrown) {
    if (!(thrown instanceof Database.SqliteError)) throw thrown;
  }
}

/** Deletes all of them, with rests in which others get to write. Returns how many they were. */
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
