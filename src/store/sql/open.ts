/** Opens the database: creates it if missing, refuses foreign ones, and makes it durable before anything is written. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { PartnerdError } from "../../base/errors.ts";
import { DATABASE_NAME, ensureDirectory, ensureFile, NAME_A_DATABASE, syncToDisk } from "./data-directory.ts";
import { storeFailure } from "./failure.ts";
import { applyMigrations, refuseOtherSchema, refuseUnknownSchema } from "./migrations.ts";
import { openToRead, TEMPORARY_IN_MEMORY } from "./open-to-read.ts";

/** "ocpd" in the header of the file, which identifies our databases. */
export const APPLICATION_ID = 0x6f637064;

export const DEFAULT_BUSY_TIMEOUT_MS = 5_000;

/** SQLite's own default: the log is checkpointed once it holds 4 MiB. */
const CHECKPOINT_PAGES = 1_000;

/** A long reader makes the write-ahead log grow; the next checkpoint truncates it to this. */
const WAL_LIMIT_BYTES = 64 * 1024 * 1024;

/** 16 MiB, in SQLite's notation: keeps the index pages that a flood of events touches in memory, for a log of a million events. */
const CACHE_KIB = -16_384;

/** Every setting is read back: SQLite silently ignores what it cannot do, and we promise durability to the broker. */
const SETTINGS = [
  { pragma: "journal_mode", value: "WAL", readBack: "wal" },
  // better-sqlite3 defaults to NORMAL in WAL mode, which can lose the last commits in a power cut.
  { pragma: "synchronous", value: "FULL", readBack: 2 },
  // Without it, INSERT OR REPLACE deletes a row without firing the delete trigger.
  { pragma: "recursive_triggers", value: "ON", readBack: 1 },
  TEMPORARY_IN_MEMORY,
  { pragma: "foreign_keys", value: "ON", readBack: 1 },
  { pragma: "trusted_schema", value: "OFF", readBack: 0 },
  { pragma: "wal_autocheckpoint", value: CHECKPOINT_PAGES, readBack: CHECKPOINT_PAGES },
  { pragma: "cache_size", value: CACHE_KIB, readBack: CACHE_KIB },
  { pragma: "journal_size_limit", value: WAL_LIMIT_BYTES, readBack: WAL_LIMIT_BYTES },
] as const;

export interface OpenOptions {
  /** How long writes wait for another process's lock, blocking the event loop: each write, and all within a second; default 5 s. */
  readonly busyTimeoutMs?: number;
  /** Called with the database before its first use, to inject faults. */
  readonly onOpen?: (database: Database.Database) => void;
  /** Called with each path that opening has fsynced. For the simulator, whose disk forgets the rest. */
  readonly onSynced?: (path: string) => void;
}

/**
 * Opens the database in `directory`, migrated to this program's schema. Creates both if missing (directory 0700, file 0600).
 * Throws `data_dir_unwritable`, `database_newer` or `database_retired` (then nothing was changed), or `database_failed`.
 */
export function openDatabase(directory: string, { onSynced, ...options }: OpenOptions = {}): Database.Database {
  const path = join(directory, DATABASE_NAME);
  ensureDirectory(directory);
  ensureFile(path, directory);
  return opened(path, options, (database) => {
    const isNew = refuseForeign(database, path);
    refuseUnknownSchema(database, path);
    configure(database, path);
    // A killed process may have left commits that it never fsynced. From here on they are read, and acknowledged to the broker, so a
    // power cut must not undo them.
    for (const found of [`${path}-wal`, dirname(path)].filter((there) => existsSync(there))) {
      syncToDisk(found, "database_failed");
      onSynced?.(found);
    }
    if (isNew) database.pragma(`application_id = ${APPLICATION_ID}`);
    applyMigrations(database);
    return database;
  });
}

/**
 * Opens an existing database with this program's schema, to write beside its daemon. Throws `database_newer`, `database_retired` or
 * `database_failed`.
 */
export function openExistingDatabase(path: string): Database.Database {
  return opened(path, { fileMustExist: true }, (database) => {
    refuseEmpty(database, path);
    refuseOtherSchema(database, path);
    configure(database, path);
    return database;
  });
}

/**
 * Calls `use` with an existing database of this program's schema, opened for reading. Closes the database if `use` throws. Throws as
 * openExistingDatabase does.
 */
export function openReadOnly<Result>(path: string, use: (database: Database.Database) => Result): Result {
  let database: Database.Database | undefined;
  try {
    database = openToRead(path);
    refuseEmpty(database, path);
    refuseOtherSchema(database, path);
    return use(database);
  } catch (thrown) {
    database?.close();
    throw storeFailure(`cannot read ${path}`, thrown);
  }
}

/** The result of `use`. Closes the database if it throws. */
function opened<Result>(
  path: string,
  { busyTimeoutMs = DEFAULT_BUSY_TIMEOUT_MS, onOpen, ...options }: OpenOptions & Database.Options,
  use: (database: Database.Database) => Result,
): Result {
  let database: Database.Database | undefined;
  try {
    database = new Database(path, { ...options, timeout: busyTimeoutMs });
    onOpen?.(database);
    return use(database);
  } catch (thrown) {
    database?.close();
    throw storeFailure(`cannot open ${path}`, thrown);
  }
}

/** Closes `database` when disposed. */
export const closeAtEnd = (database: Database.Database): Disposable => ({ [Symbol.dispose]: () => void database.close() });

/** True if the database is empty, that is, new. Throws `database_failed` if it is another program's. */
function refuseForeign(database: Database.Database, path: string): boolean {
  const applicationId = database.pragma("application_id", { simple: true });
  if (applicationId === APPLICATION_ID) return false;
  if (isEmpty(database)) return true;
  throw new PartnerdError("database_failed", `${path} belongs to another program (application_id ${applicationId})`, {
    nextStep: "move the file aside, or choose another data directory with --data DIR",
  });
}

/** True if the database is empty and has no application id. */
export function isEmpty(database: Database.Database): boolean {
  const hasTables = database.prepare("select 1 from sqlite_schema limit 1").get() !== undefined;
  return !hasTables && database.pragma("application_id", { simple: true }) === 0;
}

/** For readers: throws `database_failed` if the database is empty or another program's. */
export function refuseEmpty(database: Database.Database, path: string): void {
  if (!refuseForeign(database, path)) return;
  throw new PartnerdError("database_failed", `${path} is empty: no daemon has ever written to it`, { nextStep: NAME_A_DATABASE });
}

function configure(database: Database.Database, path: string): void {
  for (const { pragma, value, readBack } of SETTINGS) {
    database.pragma(`${pragma} = ${value}`);
    const found = database.pragma(pragma, { simple: true });
    if (found === readBack) continue;
    throw new PartnerdError("database_failed", `${path}: PRAGMA ${pragma} = ${value} has no effect, it stays ${found}`, {
      nextStep: "keep the data directory on a local file system that supports SQLite's write-ahead log",
    });
  }
}
