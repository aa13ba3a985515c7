/** The write-ahead log, which no checkpoint can shorten while anybody reads from it. */
import { statSync } from "node:fs";
import type { Database } from "better-sqlite3";

/** 0 where there is none. */
export function walBytes(databaseFile: string): number {
  return statSync(`${databaseFile}-wal`, { throwIfNoEntry: false })?.size ?? 0;
}

/** Moves what the write-ahead log holds into the database, and empties it if no reader is in the way; waits for none. */
export function emptyWal(database: Database): boolean {
  const busyTimeoutMs = Number(database.pragma("busy_timeout", { simple: true }));
  database.pragma("busy_timeout = 0");
  try {
    // Passive first: what can be moved is moved, whoever reads.
    database.pragma("wal_checkpoint(PASSIVE)");
    return database.pragma("wal_checkpoint(TRUNCATE)", { simple: true }) === 0;
  } finally {
    database.pragma(`busy_timeout = ${busyTimeoutMs}`);
  }
}
