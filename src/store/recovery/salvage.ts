/**
 * What can be proved of a damaged log takes its place: its rows from the first on, for as long as each follows from the one before. What
 * the broker's stream held beyond them the daemon reads again; what it had observed itself beyond them is gone.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { checkDatabase } from "../check/check.ts";
import { DATABASE_NAME } from "../sql/database-file.ts";
import { lastSeqOf } from "./damaged.ts";
import { type LostRows, lostRows } from "./lost-rows.ts";
import { openDamaged, rebuildFromProven } from "./rebuild-from-proven.ts";
import { refuseUnsound } from "./refuse-unsound.ts";
import { lockOutWriters, type Restored } from "./restore.ts";
import { swapDatabase } from "./swap-database.ts";

export interface SalvageOptions {
  readonly directory: string;
  readonly nowMs: number;
  /** How many rows of how many have been looked at. */
  readonly onProgress?: (rows: number, total: number) => void;
}

export interface Salvaged extends Restored {
  /** What is not in the log any more; null where all of it could be proved. */
  readonly lost: LostRows | null;
}

/** Where the new database is made, in the data directory. */
const WORK_NAME = "oc-partnerd.restoring";

/**
 * Throws `data_dir_in_use` while a daemon runs, `check_failed` where nothing can be proved although it can be read, and `database_newer`
 * or `database_failed` where the database is of another schema; then nothing was changed. With nothing readable the log is empty.
 */
export function salvage({ directory, nowMs, onProgress = () => {} }: SalvageOptions): Salvaged {
  using _locks = lockOutWriters(directory);
  const damaged = join(directory, DATABASE_NAME);
  const work = join(directory, WORK_NAME);
  rmSync(work, { recursive: true, force: true });
  const source = openDamaged(damaged);
  try {
    const lastSeq = lastSeqOf(damaged) ?? 0;
    const { seq, cursor } = rebuildFromProven(work, damaged, source, (row) => onProgress(row, lastSeq));
    const lost = lostRows(source, seq, lastSeq);
    // Before its files are moved.
    source?.close();
    const made = join(work, DATABASE_NAME);
    const report = checkDatabase({ path: made });
    refuseUnsound(report, "restore a backup with --from FILE");
    const { setAside } = swapDatabase(made, directory, report.head, nowMs);
    return { events: report.events, head: report.head, cursor, lost, setAside };
  } finally {
    source?.close();
    rmSync(work, { recursive: true, force: true });
  }
}
