/** What SQLite throws, as the program's own error. */
import Database from "better-sqlite3";
import { PartnerdError, toPartnerdError } from "../../base/errors.ts";

const NEXT_STEPS: Readonly<Record<string, string>> = {
  SQLITE_FULL: "free space on the disk that holds the data directory",
  SQLITE_BUSY: "end the other program that holds the database locked",
  SQLITE_READONLY: "make the data directory and the database in it writable for the daemon's user",
  SQLITE_CANTOPEN: "make the data directory and the database in it readable and writable for the daemon's user",
  SQLITE_NOTADB: "put a backup, or what can be proved of the log, in its place with `oc-partnerd restore`",
  SQLITE_CORRUPT:
    "check the disk, see what is damaged with `oc-partnerd check`, and put a backup, or what can be proved of the log, in its place with `oc-partnerd restore`",
};

/** `thrown` as a PartnerdError that names what was being done: `database_failed` where SQLite failed, `internal_error` where we did. */
export function storeFailure(doing: string, thrown: unknown): PartnerdError {
  const failure = sqliteErrorIn(thrown);
  if (failure === undefined) return toPartnerdError(thrown, "internal_error");
  // An extended code such as SQLITE_BUSY_SNAPSHOT starts with its primary one.
  const primaryCode = failure.code.split("_", 2).join("_");
  const nextStep = NEXT_STEPS[primaryCode];
  return new PartnerdError("database_failed", `${doing}: ${failure.message} (${failure.code})`, {
    cause: thrown,
    ...(nextStep === undefined ? {} : { nextStep }),
  });
}

/** drizzle wraps what it catches; the reason is then its cause. */
function sqliteErrorIn(thrown: unknown): InstanceType<typeof Database.SqliteError> | undefined {
  if (thrown instanceof Database.SqliteError) return thrown;
  return thrown instanceof Error && thrown.cause !== undefined ? sqliteErrorIn(thrown.cause) : undefined;
}
