/** A copy of a database as one file: consistent, whoever writes to it meanwhile. */
import { closeSync, openSync, rmSync } from "node:fs";
import Database from "better-sqlite3";
import { messageOf, PartnerdError } from "../../base/errors.ts";
import { storeFailure } from "../sql/failure.ts";
import { closeAtEnd } from "../sql/open.ts";

/** Between two steps the program can say how far it is. 4 MiB. */
const PAGES_A_STEP = 1_024;

/** How many pages of how many are copied. */
export type CopyProgress = (pages: number, total: number) => void;

/**
 * Copies the database `file`, with what its write-ahead log holds, to the new file `to` (0600). Throws `file_failed` where that cannot be
 * made, and `database_failed`.
 */
export async function copyDatabase(file: string, to: string, onProgress: CopyProgress): Promise<void> {
  createPrivate(to);
  let source: Database.Database | undefined;
  try {
    source = new Database(file, { readonly: true, fileMustExist: true });
    // One read for all of it, which begins with the select: else every commit of the daemon would begin the copy anew.
    source.exec("begin; select 1 from sqlite_schema");
    await source.backup(to, {
      progress: ({ totalPages, remainingPages }) => {
        onProgress(totalPages - remainingPages, totalPages);
        return PAGES_A_STEP;
      },
    });
    finish(to);
  } catch (thrown) {
    throw storeFailure(`cannot copy ${file} to ${to}`, thrown);
  } finally {
    source?.close();
  }
}

/** SQLite takes the file as it finds it, with its mode. */
function createPrivate(file: string): void {
  try {
    closeSync(openSync(file, "wx", 0o600));
  } catch (thrown) {
    throw new PartnerdError("file_failed", `cannot create ${file}: ${messageOf(thrown)}`, {
      nextStep: "name a file in a directory that you may write to",
      cause: thrown,
    });
  }
}

/** A single file that can be read where nothing may be written beside it. */
function finish(file: string): void {
  const database = new Database(file, { fileMustExist: true });
  using _closing = closeAtEnd(database);
  database.pragma("journal_mode = delete");
}

/** Takes a database away, with what SQLite has left beside it. */
export function removeDatabase(file: string): void {
  for (const name of [file, `${file}-wal`, `${file}-shm`, `${file}-journal`]) rmSync(name, { force: true });
}
