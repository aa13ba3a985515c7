/** Deleting the rows of an archive: in transactions so short that a daemon beside hardly notices. */
import type { Database } from "better-sqlite3";
import type { Clock } from "../../clock.ts";
import { removeArchivedRows } from "../remove-archived-rows.ts";

/** Deletes all of them. Rests between two transactions for as long as one takes, so that others get to write. Returns how many they were. */
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
