/** The database file that a user means who names a data directory, or the file itself. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { messageOf, PartnerdError } from "../../base/errors.ts";

export const DATABASE_NAME = "oc-partnerd.db";

export const NAME_A_DATABASE = "name the daemon's data directory, or a copy of its database, with --data";

/** Throws `database_failed` where there is none. */
export function databaseFileOf(path: string): string {
  try {
    const file = statSync(path).isDirectory() ? join(path, DATABASE_NAME) : path;
    statSync(file);
    return file;
  } catch (thrown) {
    throw new PartnerdError("database_failed", `there is no database in ${path}: ${messageOf(thrown)}`, {
      nextStep: NAME_A_DATABASE,
      cause: thrown,
    });
  }
}
