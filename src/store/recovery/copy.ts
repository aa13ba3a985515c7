/** Copies a database to a single file: consistent, even if other connections write to it. */
import { closeSync, openSync, rmSync } from "node:fs";
import Database from "better-sqlite3";
import { messageOf, PartnerdError } from "../../base/errors.ts";
import { storeFailure } from "../sql/failure.ts";
import { closeAtEnd } from "../sql/open.ts";
import { openToRead } from "../sql/open-to-read.ts";

/** Between two steps of 4 MiB the caller can report progress. */
const PAGES_A_STEP = 1_024;

/** Called with the number of pages copied so far and in all. */
export type CopyProgress = (pages: number, total: number) => void;

interface CopyOptions {
  readonly signal?: AbortSignal | undefined;
  /** The next step if `file` is damaged; default: to replace the log. */
  readonly ifDamaged?: string;
}

/**
 * Copies the database `file`, including its write-ahead log, to the new file `to` (0600). Throws `file_failed` if `to` cannot be
 * created, `database_failed`, and the reason of `signal` once that aborts.
 */
export async function copyDatabase(
  file: string,
  to: string,
  onProgress: CopyProgress,
  { signal, ifDamaged }: CopyOptions = {},
): Promise<void> {
  createPrivate(to);
  let source: Database.Database | undefined;
  try {
    source = openToRead(file);
    // The select starts a read transaction for the whole copy; without it, every commit of the daemon would restart the copy.
    source.exec("begin; select 1 from sqlite_schema");
    await source.backup(to, {
      progress: ({ totalPages, remainingPages }) => {
        signal?.throwIfAborted();
        onProgress(totalPages - remainingPages, totalPages);
        return PAGES_A_STEP;
      },
    });
    finish(to);
    signal?.throwIfAborted();
  } catch (thrown) {
    throw storeFailure(`cannot copy ${file} to ${to}`, thrown, ifDamaged);
  } finally {
    source?.close();
  }
}

/** SQLite keeps the mode of an existing file. */
function createPrivate(file: string): void {
  try {
    closeSync(openSync(file, "wx", 0o600));
  } catch (thrown) {
    throw new PartnerdError("file_failed", `cannot create ${file}: ${messageOf(thrown)}`, {
      nextStep: "choose a file in a writable directory",
      cause: thrown,
    });
  }
}

/** Makes it a single file, readable even from a directory that is read-only. */
function finish(file: string): void {
  const database = new Database(file, { fileMustExist: true });
  using _closing = closeAtEnd(database);
  database.pragma("journal_mode = delete");
}

/** Deletes a database and the files that SQLite keeps beside it. */
export function removeDatabase(file: string): void {
  for (const name of databaseFiles(file)) rmSync(name, { force: true });
}

/** A database and the files that SQLite keeps beside it. */
export function databaseFiles(file: string): readonly string[] {
  return [file, `${file}-wal`, `${file}-shm`, `${file}-journal`];
}
