/** Opens a database file to read it, also where nothing can be written: not beside it, and not in a temporary directory. */
import { accessSync, constants } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import Database from "better-sqlite3";
import { PartnerdError } from "../../base/errors.ts";

/** SQLite sorts in memory: a read-only container has no directory for temporary files, and needs none. */
export const TEMPORARY_IN_MEMORY = { pragma: "temp_store", value: "MEMORY", readBack: 2 } as const;

/**
 * A file that is not a database is opened all the same; reading it fails. Throws `database_failed` if the database is on a read-only
 * file system and cannot be read there, and SQLite's error if it cannot be opened.
 */
export function openToRead(file: string): Database.Database {
  const database = new Database(file, { readonly: true, fileMustExist: true });
  database.pragma(`${TEMPORARY_IN_MEMORY.pragma} = ${TEMPORARY_IN_MEMORY.value}`);
  if (!isRefused(database) || !isReadOnlyFileSystem(dirname(resolve(file)))) return database;
  database.close();
  throw new PartnerdError(
    "database_failed",
    `${file} cannot be read on a read-only file system: SQLite has to create ${basename(file)}-shm beside it`,
    { nextStep: "copy the database, and its -wal if there is one, to a writable directory, and name the copy" },
  );
}

/** Whether SQLite cannot share the database with other processes: for that it needs the files beside it. */
function isRefused(database: Database.Database): boolean {
  try {
    database.prepare("select 1 from sqlite_schema limit 1").get();
    return false;
  } catch (thrown) {
    return thrown instanceof Database.SqliteError && /^SQLITE_(CANTOPEN|READONLY)/.test(thrown.code);
  }
}

function isReadOnlyFileSystem(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    return false;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === "EROFS";
  }
}
