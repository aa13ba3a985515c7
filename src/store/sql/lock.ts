/** Allows one daemon per data directory. A second one would close the first one's streams in the log. */

import { join } from "node:path";
import Database from "better-sqlite3";
import { PartnerdError } from "../../base/errors.ts";
import { ensureDirectory, ensureFile } from "./data-directory.ts";
import { storeFailure } from "./failure.ts";
import { refuseUnsafeFiles } from "./file-safety.ts";

interface Lock {
  /** A file of its own, since locking the database would block its readers. */
  readonly name: string;
  /** The likely holder, for the error message. */
  readonly holder: string;
  readonly nextStep: string;
}

export const DAEMON_LOCK: Lock = {
  name: "oc-partnerd.lock",
  holder: "another oc-partnerd",
  nextStep: "stop the other daemon, or choose another directory with --data DIR",
};

/** Archiving may run beside a daemon, but only once at a time. */
export const ARCHIVE_LOCK: Lock = {
  name: "oc-partnerd-archive.lock",
  holder: "another oc-partnerd archive",
  nextStep: "wait until it has finished",
};

/**
 * Locks the directory until disposed; the kernel releases the lock when the process exits, even if it crashes. Creates the
 * directory if needed. Throws `data_dir_in_use` if another process holds the lock, `data_dir_unsafe` as refuseUnsafeFiles does,
 * `data_dir_unwritable` or `database_failed`.
 */
export function lockDirectory(directory: string, { name, holder, nextStep } = DAEMON_LOCK): Disposable {
  ensureDirectory(directory);
  refuseUnsafeFiles(directory);
  const path = join(directory, name);
  ensureFile(path, directory);
  let lock: Database.Database | undefined;
  try {
    // Node cannot lock a file, but SQLite can: this database stays empty and is never written.
    lock = new Database(path, { timeout: 0 });
    lock.exec("begin exclusive");
  } catch (thrown) {
    lock?.close();
    if (!(thrown instanceof Database.SqliteError && thrown.code === "SQLITE_BUSY"))
      throw storeFailure(`cannot lock ${path}`, thrown);
    throw new PartnerdError("data_dir_in_use", `the data directory ${directory} is in use by ${holder}`, {
      nextStep,
      cause: thrown,
    });
  }
  const held = lock;
  return { [Symbol.dispose]: () => void held.close() };
}
