/** Bringing a database to the schema of this program, and refusing one that is already past it. */
import { fileURLToPath } from "node:url";
import type { Database } from "better-sqlite3";
import { drizzle } from "drizzle-orm/better-sqlite3";
import { migrate } from "drizzle-orm/better-sqlite3/migrator";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { PartnerdError } from "../../base/errors.ts";

/** Beside the source, wherever the daemon is started from. */
const MIGRATIONS_FOLDER = fileURLToPath(new URL("../../../migrations", import.meta.url));

/**
 * Throws `database_newer` where the database has a migration that this program does not know. Reads only.
 * A version is the number of migrations applied.
 */
export function refuseNewerSchema(database: Database, path: string): void {
  const known = knownMigrations();
  const applied = appliedMigrations(database);
  if (applied.every((hash) => known.has(hash))) return;
  throw new PartnerdError(
    "database_newer",
    `${path} has schema version ${applied.length}, written by another oc-partnerd; this one knows schema version ${known.size}`,
    { nextStep: "run the oc-partnerd that wrote it, or a newer one, or start with an empty data directory (--data DIR)" },
  );
}

/** For those who only read: throws `database_newer` as above, and `database_failed` where a migration is missing. Reads only. */
export function refuseOtherSchema(database: Database, path: string): void {
  refuseNewerSchema(database, path);
  const applied = appliedMigrations(database).length;
  const known = knownMigrations().size;
  if (applied === known) return;
  throw new PartnerdError(
    "database_failed",
    `${path} has schema version ${applied}, this oc-partnerd reads schema version ${known}`,
    {
      nextStep: "start this oc-partnerd's daemon on it once, which brings it up to date, or export with the one that wrote it",
    },
  );
}

export function applyMigrations(database: Database): void {
  if (appliedMigrations(database).length === knownMigrations().size) return;
  migrate(drizzle({ client: database }), { migrationsFolder: MIGRATIONS_FOLDER });
}

let known: ReadonlyMap<string, number> | undefined;

/** When they were made (ms), by hash, in order. The files come with the program, and are read once. */
export function knownMigrations(): ReadonlyMap<string, number> {
  known ??= new Map(
    readMigrationFiles({ migrationsFolder: MIGRATIONS_FOLDER }).map(({ hash, folderMillis }) => [hash, folderMillis]),
  );
  return known;
}

export function appliedMigrations(database: Database): string[] {
  const hasAny = database.prepare("select 1 from sqlite_schema where name = '__drizzle_migrations'").get() !== undefined;
  return hasAny ? database.prepare<[], string>("select hash from __drizzle_migrations").pluck().all() : [];
}
