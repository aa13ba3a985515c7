/** Databases for the simulated disk: a new one, and one as an earlier release left it. */
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { DATABASE_NAME } from "../../store/sql/data-directory.ts";
import { openStore } from "../../store/store.ts";
import { VirtualClock } from "../time/virtual-clock.ts";

/** Used if available: a run makes thousands of commits, and each is fsynced. */
const SHARED_MEMORY = "/dev/shm";

let template: Buffer | undefined;

/**
 * A freshly migrated database, cached because migrations are slow. Without the views: only people read them, and SQLite would parse
 * them each time that a connection is opened, which takes longer than all the rest of it.
 */
export function emptyDatabase(): Buffer {
  if (template !== undefined) return template;
  const directory = mkdtempSync(join(fastDirectory(), "oc-partnerd-sim-"));
  try {
    openStore({ directory, clock: new VirtualClock() })[Symbol.dispose]();
    dropViews(join(directory, DATABASE_NAME));
    template = readFileSync(join(directory, DATABASE_NAME));
    return template;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function dropViews(path: string): void {
  const database = new Database(path);
  dropAll(database, "view");
  database.exec("vacuum");
  database.close();
}

/** Undoes all migrations but the first, which made the tables. The others made triggers and views, which hold no data. */
export function undoMigrations(path: string): void {
  const database = new Database(path);
  dropAll(database, "view");
  dropAll(database, "trigger");
  database.exec("delete from __drizzle_migrations where rowid > (select min(rowid) from __drizzle_migrations)");
  database.close();
}

function dropAll(database: Database.Database, type: "view" | "trigger"): void {
  const names = database.prepare<[string], string>("select name from sqlite_schema where type = ?").pluck().all(type);
  for (const name of names) database.exec(`drop ${type} ${name}`);
}

export function fastDirectory(): string {
  try {
    accessSync(SHARED_MEMORY, constants.W_OK);
    return SHARED_MEMORY;
  } catch {
    return tmpdir();
  }
}
