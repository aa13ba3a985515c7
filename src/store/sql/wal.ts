/** The write-ahead log, which cannot be truncated while a reader is active. */
import { statSync } from "node:fs";
import type { Database } from "better-sqlite3";

/** 0 if there is none. */
export function walBytes(databaseFile: string): number {
  return statSync(`${databaseFile}-wal`, { throwIfNoEntry: false })?.size ?? 0;
}

/** Checkpoints and truncates the write-ahead log; false if a reader prevents truncating it. Does not wait for readers. */
export function emptyWal(database: Database): boolean {
  const busyTimeoutMs = Number(database.pragma("busy_timeout", { simple: true }));
  database.pragma("busy_timeout = 0");
  try {
    // Passive first: it moves what it can, whether or not there are readers.
    database.pragma("wal_checkpoint(PASSIVE)");
    return database.pragma("wal_checkpoint(TRUNCATE)", { simple: true }) === 0;
  } finally {
    database.pragma(`busy_timeout = ${busyTimeoutMs}`);
  }
}
