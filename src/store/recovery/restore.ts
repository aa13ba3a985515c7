/** A backup takes the place of a database that is damaged or gone. No daemon may hold the data directory meanwhile. */

import { existsSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { PartnerdError } from "../../base/errors.ts";
import { checkDatabase } from "../check/check.ts";
import { headBeside } from "../check/head-check.ts";
import type { Cursor } from "../model/cursor.ts";
import { refuseUnsound } from "../model/finding.ts";
import type { LogHead } from "../model/log-head.ts";
import { DATABASE_NAME, databaseFileOf } from "../sql/data-directory.ts";
import { ARCHIVE_LOCK, lockDirectory } from "../sql/lock.ts";
import { type CopyProgress, copyDatabase, removeDatabase } from "./copy.ts";
import { cursorIn, lastSeqOf } from "./damaged.ts";
import { swapDatabase } from "./swap-database.ts";

export interface RestoreOptions {
  readonly directory: string;
  /** The backup: a database file, or a data directory. */
  readonly from: string;
  readonly nowMs: number;
  readonly onCopied?: CopyProgress;
  readonly onChecked?: (rows: number, total: number) => void;
}

export interface Restored {
  /** How many rows the log holds now. */
  readonly events: number;
  /** The newest of them. */
  readonly head: LogHead;
  /** From behind where the daemon reads the stream again; null where the log follows none. */
  readonly cursor: Cursor | null;
  /** Where the database that was there is now; null where there was none. */
  readonly setAside: string | null;
}

export interface RestoredBackup extends Restored {
  /** The newest row that the database which was there is known to have had; null where nothing tells. */
  readonly lastSeqBefore: number | null;
}

/** The copy that takes the database's place. */
const COPY_NAME = `${DATABASE_NAME}.restoring`;

/** Until disposed of, neither a daemon nor another command writes to the directory. Throws `data_dir_in_use`. */
export function lockOutWriters(directory: string): Disposable {
  using locks = new DisposableStack();
  locks.use(lockDirectory(directory));
  locks.use(lockDirectory(directory, ARCHIVE_LOCK));
  return locks.move();
}

/**
 * Throws `data_dir_in_use` while a daemon runs, `check_failed` where the backup is not sound, and what checkDatabase throws; then
 * nothing was changed. Throws `file_failed` where the files cannot be moved.
 */
export async function restoreBackup(options: RestoreOptions): Promise<RestoredBackup> {
  const { directory, nowMs, onCopied = () => {}, onChecked = () => {} } = options;
  const backup = databaseFileOf(options.from);
  using _locks = lockOutWriters(directory);
  const database = join(directory, DATABASE_NAME);
  refuseItself(backup, database);
  const copy = join(directory, COPY_NAME);
  removeDatabase(copy);
  try {
    const { head } = headBeside(backup);
    await copyDatabase(backup, copy, onCopied);
    const report = checkDatabase({ path: copy, heads: head === null ? [] : [head], onProgress: onChecked });
    refuseUnsound(
      { ...report, file: backup },
      "restore another backup with --from FILE, or what can be proved with --from-jetstream",
    );
    const [lastSeqBefore, cursor] = [lastSeqOf(database), cursorIn(copy)];
    const setAside = swapDatabase(copy, directory, report.head, nowMs);
    return { events: report.events, head: report.head, lastSeqBefore, cursor, setAside };
  } finally {
    removeDatabase(copy);
  }
}

function refuseItself(backup: string, database: string): void {
  if (!existsSync(database) || realpathSync(backup) !== realpathSync(database)) return;
  throw new PartnerdError("usage", `${backup} is the database that is to be replaced`, {
    nextStep: "name a backup with --from FILE",
  });
}
