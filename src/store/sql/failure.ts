/** Turns errors of SQLite into the program's own. */
import Database from "better-sqlite3";
import { PartnerdError, toPartnerdError } from "../../base/errors.ts";
import { REPLACE_THE_LOG } from "../model/finding.ts";

const NEXT_STEPS: Readonly<Record<string, string>> = {
  SQLITE_FULL: "free space on the disk that holds the data directory",
  SQLITE_BUSY: "stop the other program that holds the database lock",
  SQLITE_READONLY: "make the data directory and its database writable for the daemon's user",
  SQLITE_CANTOPEN: "make the data directory and its database readable and writable for the daemon's user",
  SQLITE_NOTADB: REPLACE_THE_LOG,
  SQLITE_CORRUPT: `check the disk, run \`oc-partnerd check\` to see what is damaged, and ${REPLACE_THE_LOG}`,
};

/** The failures that another disk or another user would not mend: the file itself is damaged. */
const DAMAGED = ["SQLITE_NOTADB", "SQLITE_CORRUPT"];

/**
 * Wraps `thrown` in a PartnerdError: `database_failed` if SQLite failed, `internal_error` if we did. `doing`: the failed
 * operation. `ifDamaged`: the next step if the file is damaged; default: to replace the log.
 */
export function storeFailure(doing: string, thrown: unknown, ifDamaged?: string): PartnerdError {
  const failure = sqliteErrorIn(thrown);
  if (failure === undefined) return toPartnerdError(thrown, "internal_error");
  // An extended code, for example SQLITE_BUSY_SNAPSHOT, starts with its primary code.
  const primaryCode = failure.code.split("_", 2).join("_");
  const nextStep = (DAMAGED.includes(primaryCode) ? ifDamaged : undefined) ?? NEXT_STEPS[primaryCode];
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
