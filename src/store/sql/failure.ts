/** Turns errors of SQLite into the program's own. */
import Database from "better-sqlite3";
import { PartnerdError, toPartnerdError } from "../../base/errors.ts";

const NEXT_STEPS: Readonly<Record<string, string>> = {
  SQLITE_FULL: "free space on the disk that holds the data directory",
  SQLITE_BUSY: "stop the other program that holds the database lock",
  SQLITE_READONLY: "make the data directory and its database writable for the daemon's user",
  SQLITE_CANTOPEN: "make the data directory and its database readable and writable for the daemon's user",
  SQLITE_NOTADB: "run `oc-partnerd restore` to replace it with a backup, or with the provable part of the log",
  SQLITE_CORRUPT:
    "check the disk, run `oc-partnerd check` to see what is damaged, and `oc-partnerd restore` to replace it with a backup, or with the provable part of the log",
};

/**
 * Wraps `thrown` in a PartnerdError: `database_failed` if SQLite failed, `internal_error` if we did. `doing`: the failed
 * operation.
 */
export function storeFailure(doing: string, thrown: unknown): PartnerdError {
  const failure = sqliteErrorIn(thrown);
  if (failure === undefined) return toPartnerdError(thrown, "internal_error");
  // An extended code, for example SQLITE_BUSY_SNAPSHOT, starts with its primary code.
  const primaryCode = failure.code.split("_", 2).join("_");
  const nextStep = NEXT_STEPS[primaryCode];
  return new PartnerdError("database_failed", `${doing}: ${failure.message} (${failure.code})`, {
    cause: thrown,
    ...(nextStep === undefined ? {} : { nextStep }),
    ...(primaryCode === "SQLITE_BUSY" && { details: { isPassing: true } }),
  });
}

/** drizzle wraps what it catches; the original error is the cause. */
function sqliteErrorIn(thrown: unknown): InstanceType<typeof Database.SqliteError> | undefined {
  if (thrown instanceof Database.SqliteError) return thrown;
  return thrown instanceof Error && thrown.cause !== undefined ? sqliteErrorIn(thrown.cause) : undefined;
}
