/** Replaces a damaged or missing database with a backup, while no daemon holds the data directory. */

import { existsSync, realpathSync } from "node:fs";
import { join, resolve } from "node:path";
import { PartnerdError } from "../../base/errors.ts";
import type { RestoreFacts } from "../../events/upkeep/upkeep-facts.ts";
import { checkDatabase } from "../check/check.ts";
import { refuseOtherVersion } from "../check/file/schema-check.ts";
import { headBeside } from "../check/head-check.ts";
import type { Cursor } from "../model/cursor.ts";
import { refuseUnsound } from "../model/finding.ts";
import type { LogHead } from "../model/log-head.ts";
import { DATABASE_NAME, databaseFileOf } from "../sql/data-directory.ts";
import { storeFailure } from "../sql/failure.ts";
import { ARCHIVE_LOCK, lockDirectory } from "../sql/lock.ts";
import { closeAtEnd, openExistingDatabase } from "../sql/open.ts";
import { openToRead } from "../sql/open-to-read.ts";
import { tables } from "../sql/statements/tables.ts";
import { appendRestored } from "./append-restored.ts";
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
  /** Number of rows that were restored. */
  readonly events: number;
  /** The newest row of the log now, the LogRestored. */
  readonly head: LogHead;
  /** The daemon resumes reading the stream after it; null if the log follows none. */
  readonly cursor: Cursor | null;
  /** New path of the previous database; null if there was none. */
  readonly setAside: string | null;
}

export interface RestoredBackup extends Restored {
  /** The newest row of the backup. */
  readonly lastSeq: number;
  /** The newest row that the previous database is known to have had; null if unknown. */
  readonly lastSeqBefore: number | null;
}

const ANOTHER_BACKUP = "restore another backup with --from FILE, or the provable rows with --from-jetstream";

/** The copy that will replace the database. */
const COPY_NAME = `${DATABASE_NAME}.restoring`;

/** Keeps daemons and other commands from writing to the directory until disposed. Throws `data_dir_in_use`. */
export function lockOutWriters(directory: string): Disposable {
  using locks = new DisposableStack();
  locks.use(lockDirectory(directory));
  locks.use(lockDirectory(directory, ARCHIVE_LOCK));
  return locks.move();
}

/**
 * Throws `data_dir_in_use` while a daemon runs, `check_failed` if the backup is not sound, and whatever checkDatabase throws; then
 * nothing was changed. Throws `file_failed` if the files cannot be moved.
 */
export async function restoreBackup(options: RestoreOptions): Promise<RestoredBackup> {
  const { directory, nowMs, onCopied = () => {}, onChecked = () => {} } = options;
  const backup = databaseFileOf(options.from, "name a backup with --from FILE");
  const database = join(directory, DATABASE_NAME);
  refuseItself(backup, database);
  refuseOther(backup);
  using _locks = lockOutWriters(directory);
  const copy = join(directory, COPY_NAME);
  removeDatabase(copy);
  try {
    const { head: named } = headBeside(backup);
    await copyDatabase(backup, copy, onCopied, { ifDamaged: ANOTHER_BACKUP });
    const heads = named === null ? [] : [named];
    const report = checkDatabase({ path: copy, withHistory: false, heads, onProgress: onChecked });
    refuseUnsound({ ...report, file: backup }, ANOTHER_BACKUP);
    const [lastSeqBefore, lastSeq] = [lastSeqOf(database), report.head.seq];
    const head = withRestored(copy, { backup: resolve(backup), lastSeq, lastSeqBefore }, report.cursorProven, nowMs);
    const cursor = cursorIn(copy);
    const setAside = swapDatabase(copy, directory, head, nowMs);
    return { events: report.events, lastSeq, head, lastSeqBefore, cursor, setAside };
  } finally {
    removeDatabase(copy);
  }
}

/** Before anything is created: throws as refuseOtherVersion does, and `database_failed` for a file that is not a log of ours. */
function refuseOther(backup: string): void {
  try {
    const source = openToRead(backup);
    using _closing = closeAtEnd(source);
    if (source.prepare("select 1 from sqlite_schema where name = 'event_log'").get() === undefined)
      throw new PartnerdError("database_failed", `${backup} has no event log`, { nextStep: ANOTHER_BACKUP });
    refuseOtherVersion(source, backup);
  } catch (thrown) {
    throw storeFailure(`cannot read ${backup}`, thrown, ANOTHER_BACKUP);
  }
}

/** Returns the new head. A cursor behind the rows is moved to `proven`, as the daemon would do. The copy stays a single file. */
function withRestored(copy: string, details: RestoreFacts, proven: Cursor | null, nowMs: number): LogHead {
  const database = openExistingDatabase(copy);
  using _closing = closeAtEnd(database);
  if (proven !== null) tables(database).setCursor(proven);
  const head = appendRestored(database, { reason: "backup", details }, nowMs);
  database.pragma("journal_mode = delete");
  return head;
}

function refuseItself(backup: string, database: string): void {
  if (!existsSync(database) || realpathSync(backup) !== realpathSync(database)) return;
  throw new PartnerdError("usage", `${backup} is the database to be replaced`, {
    nextStep: "name a backup with --from FILE",
  });
}
