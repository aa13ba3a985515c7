/** Deleting the rows of an archive: in transactions so short that a daemon beside hardly notices. */
import type { Database } from "better-sqlite3";
import type { Clock } from "../../base/clock.ts";
import { removeArchivedRows } from "./remove-archived-rows.ts";

/** Who waits for SQLite's lock looks for it ever more rarely, and with its event loop standing still: most of the time has to be his. */
const REST_SHARE = 3;
const SHORTEST_REST_MS = 5;

/** Deletes all of them, with rests in which others get to write. Returns how many they were. */
export async function removeArchived(database: Database, clock: Clock, onRemoved: (rows: number) => void): Promise<number> {
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
