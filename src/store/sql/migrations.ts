/** Upgrades a database to this program's schema, and refuses one that this program cannot read. */
import { fileURLToPath } from "node:url";
import type { Database } from "better-sqlite3";
import { drizzle } from "drizzle-orm/better-sqlite3";
import { migrate } from "drizzle-orm/better-sqlite3/migrator";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { PartnerdError } from "../../base/errors.ts";

/** Relative to this file, so independent of the working directory. */
const MIGRATIONS_FOLDER = fileURLToPath(new URL("../../../migrations", import.meta.url));

/** The first migration of every database written before the format was fixed. */
const PRE_RELEASE = "919f48798284e1d653401679add551030c2f10b79f0be0256adc13b900fe1457";

/**
 * Throws `database_retired` for a database from before the first release, and `database_newer` for one with a migration that this
 * program does not know. Reads only. A version is the number of migrations applied.
 */
export function refuseUnknownSchema(database: Database, path: string): void {
  const known = knownMigrations();
  const applied = appliedMigrations(database);
  if (applied.every((hash) => known.has(hash))) return;
  refuseRetired(applied, path);
  const isNewer = [...known.keys()].every((hash) => applied.includes(hash));
  throw new PartnerdError(
    "database_newer",
    `${path} has schema version ${applied.length}, written by another version of oc-partnerd; this one knows schema version ${known.size}`,
    {
      nextStep: `run the version that wrote it${isNewer ? ", or a newer one" : ""}, or start with an empty data directory (--data DIR)`,
    },
  );
}

/** Throws `database_retired` if the migrations `applied` are those of a database from before the first release. */
export function refuseRetired(applied: readonly string[], path: string): void {
  if (applied[0] !== PRE_RELEASE) return;
  throw new PartnerdError(
    "database_retired",
    `${path} was written by a pre-release oc-partnerd, whose format is no longer supported`,
    {
      nextStep:
        "start with an empty data directory (--data DIR) and keep identity.key; events that the JetStream stream still holds are read again",
    },
  );
}

/** For readers: throws as above, and `database_failed` if a migration is missing. Reads only. */
export function refuseOtherSchema(database: Database, path: string): void {
  refuseUnknownSchema(database, path);
  const applied = appliedMigrations(database).length;
  const known = knownMigrations().size;
  if (applied === known) return;
  throw new PartnerdError(
    "database_failed",
    `${path} has schema version ${applied}, this oc-partnerd reads schema version ${known}`,
    {
      nextStep: "start this oc-partnerd's daemon on it once to upgrade it, or export with the version that wrote it",
    },
  );
}

export function applyMigrations(database: Database): void {
  if (appliedMigrations(database).length === knownMigrations().size) return;
  migrate(drizzle({ client: database }), { migrationsFolder: MIGRATIONS_FOLDER });
}

let known: ReadonlyMap<string, number> | undefined;

/** Creation times (ms) by hash, in order. The files come with the program and are read once. */
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
