/** Opening the database file: found or created, refused where it is not ours, durable before anything is written. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { PartnerdError } from "../../base/errors.ts";
import { DATABASE_NAME, ensureDirectory, ensureFile, NAME_A_DATABASE, syncToDisk } from "./data-directory.ts";
import { storeFailure } from "./failure.ts";
import { applyMigrations, refuseOtherSchema, refuseUnknownSchema } from "./migrations.ts";

/** "ocpd". SQLite keeps it in the header, so that a file of another program is recognised as such. */
export const APPLICATION_ID = 0x6f637064;

const DEFAULT_BUSY_TIMEOUT_MS = 5_000;

/** SQLite's own default: the log is checkpointed once it holds 4 MiB. */
const CHECKPOINT_PAGES = 1_000;

/** A long reader makes the write-ahead log grow; once checkpointed it is cut back to this. */
const WAL_LIMIT_BYTES = 64 * 1024 * 1024;

/** 16 MiB, in SQLite's notation: the pages of the indexes that a flood of events goes to stay at hand in a log of a million. */
const CACHE_KIB = -16_384;

/** Every setting is read back: SQLite ignores what it cannot do, and durability is a promise to the broker. */
const SETTINGS = [
  { pragma: "journal_mode", value: "WAL", readBack: "wal" },
  // better-sqlite3's SQLite would fall to NORMAL in WAL mode, which loses the last commits in a power cut.
  { pragma: "synchronous", value: "FULL", readBack: 2 },
  // Without it INSERT OR REPLACE deletes a row and no trigger hears of it.
  { pragma: "recursive_triggers", value: "ON", readBack: 1 },
  { pragma: "foreign_keys", value: "ON", readBack: 1 },
  { pragma: "trusted_schema", value: "OFF", readBack: 0 },
  { pragma: "wal_autocheckpoint", value: CHECKPOINT_PAGES, readBack: CHECKPOINT_PAGES },
  { pragma: "cache_size", value: CACHE_KIB, readBack: CACHE_KIB },
  { pragma: "journal_size_limit", value: WAL_LIMIT_BYTES, readBack: WAL_LIMIT_BYTES },
] as const;

export interface OpenOptions {
  /** How long a write waits for another program's lock, with the event loop standing still; default 5 s. */
  readonly busyTimeoutMs?: number;
  /** Called with the database before its first use; for those who make it fail on purpose. */
  readonly onOpen?: (database: Database.Database) => void;
}

/**
 * The database of `directory`, created where there is none (directory 0700, file 0600), migrated to this program's schema.
 * Throws `data_dir_unwritable`, `database_newer` (nothing was changed then) or `database_failed`.
 */
export function openDatabase(directory: string, options: OpenOptions = {}): Database.Database {
  const path = join(directory, DATABASE_NAME);
  ensureDirectory(directory);
  ensureFile(path, directory);
  return opened(path, "open", options, (database) => {
    const isNew = refuseForeign(database, path);
    refuseUnknownSchema(database, path);
    configure(database, path);
    // A process that was killed may have left commits that it never fsynced. They are read from here on, and the broker is told that
    // they are in the log: a power cut must not take them back.
    for (const found of [`${path}-wal`, dirname(path)]) if (existsSync(found)) syncToDisk(found, "database_failed");
    if (isNew) database.pragma(`application_id = ${APPLICATION_ID}`);
    applyMigrations(database);
    return database;
  });
}

/**
 * A database that is there and has this program's schema, for those who write to it beside its daemon. Throws `database_newer` or
 * `database_failed`.
 */
export function openExistingDatabase(path: string): Database.Database {
  return opened(path, "open", { fileMustExist: true }, (database) => {
    refuseEmpty(database, path);
    refuseOtherSchema(database, path);
    configure(database, path);
    return database;
  });
}

/**
 * `use` of a database that is there and has this program's schema, for those who only read. It is closed where that fails. Throws as
 * openExistingDatabase does.
 */
export function openReadOnly<Result>(path: string, use: (database: Database.Database) => Result): Result {
  return opened(path, "read", { readonly: true, fileMustExist: true }, (database) => {
    refuseEmpty(database, path);
    refuseOtherSchema(database, path);
    return use(database);
  });
}

/** What `use` gives; where that fails the database is closed. */
function opened<Result>(
  path: string,
  doing: string,
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
    throw storeFailure(`cannot ${doing} ${path}`, thrown);
  }
}

/** Closes `database` when it is disposed of. */
export const closeAtEnd = (database: Database.Database): Disposable => ({ [Symbol.dispose]: () => void database.close() });

/** Whether the database is new, that is, empty. Throws `database_failed` where it is another program's. */
function refuseForeign(database: Database.Database, path: string): boolean {
  const applicationId = database.pragma("application_id", { simple: true });
  if (applicationId === APPLICATION_ID) return false;
  if (isEmpty(database)) return true;
  throw new PartnerdError("database_failed", `${path} is the database of another program (application_id ${applicationId})`, {
    nextStep: "move the file aside, or choose another data directory with --data DIR",
  });
}

/** Whether nobody has ever written to the database, or made it his. */
export function isEmpty(database: Database.Database): boolean {
  const hasTables = database.prepare("select 1 from sqlite_schema limit 1").get() !== undefined;
  return !hasTables && database.pragma("application_id", { simple: true }) === 0;
}

/** For those who only read: throws `database_failed` where the database is another program's, or nobody has ever written to it. */
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
