/** The database that each world begins with. */
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { DATABASE_NAME } from "../../store/sql/data-directory.ts";
import { openStore } from "../../store/store.ts";
import { VirtualClock } from "../time/virtual-clock.ts";

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
  const views = database.prepare<[], string>("select name from sqlite_schema where type = 'view'").pluck().all();
  for (const view of views) database.exec(`drop view ${view}`);
  database.exec("vacuum");
  database.close();
}

/** A directory for files that are fsynced thousands of times. */
export function fastDirectory(): string {
  try {
    accessSync(SHARED_MEMORY, constants.W_OK);
    return SHARED_MEMORY;
  } catch {
    return tmpdir();
  }
}
