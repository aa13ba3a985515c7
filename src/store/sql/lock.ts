/** One daemon for a data directory: a second one would close the streams of the first in the log, and log what the first never reads. */

import { join } from "node:path";
import Database from "better-sqlite3";
import { PartnerdError } from "../../base/errors.ts";
import { ensureDirectory, ensureFile } from "./data-directory.ts";
import { storeFailure } from "./failure.ts";

interface Lock {
  /** Beside the database, whose readers it must not keep out. */
  readonly name: string;
  /** Who holds it where we cannot. */
  readonly holder: string;
  readonly nextStep: string;
}

const DAEMON: Lock = {
  name: "oc-partnerd.lock",
  holder: "another oc-partnerd",
  nextStep: "end that one, or choose another directory with --data DIR",
};

/** Archiving goes on beside a daemon, but not beside itself. */
export const ARCHIVE_LOCK: Lock = {
  name: "oc-partnerd-archive.lock",
  holder: "another oc-partnerd archive",
  nextStep: "wait until that one is done",
};

/**
 * Holds the directory until disposed of; the kernel lets go of it with the process, however that ends. The directory is made
 * where there is none. Throws `data_dir_in_use` where another process holds it, `data_dir_unwritable` or `database_failed`.
 */
export function lockDirectory(directory: string, { name, holder, nextStep } = DAEMON): Disposable {
  ensureDirectory(directory);
  const path = join(directory, name);
  ensureFile(path, directory);
  let lock: Database.Database | undefined;
  try {
    // Node cannot lock a file, SQLite can: this database stays empty and is never written.
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
