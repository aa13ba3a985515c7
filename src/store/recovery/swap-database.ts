/** Replaces the database of a data directory, and keeps the old one under another name. */

import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { messageOf, PartnerdError } from "../../base/errors.ts";
import { isoTime } from "../../base/units.ts";
import { HeadFile, headFileIn } from "../head/head-file.ts";
import type { LogHead } from "../model/log-head.ts";
import { DATABASE_NAME, giveToOwnerOf, syncToDisk } from "../sql/data-directory.ts";

/**
 * Replaces the database of the directory with `file`, which is not open anywhere and ends at `head`. If interrupted, it leaves a
 * head file that does not match the database, so no daemon will start on it. Returns the new path of the old database, with its
 * write-ahead log and head file beside it; null if there was none. Throws `file_failed`.
 */
export function swapDatabase(file: string, directory: string, head: LogHead, atMs: number): string | null {
  const database = join(directory, DATABASE_NAME);
  const isThere = [database, `${database}-wal`, headFileIn(directory)].some((file) => existsSync(file));
  const setAside = isThere ? freeName(`${database}.damaged-${utc(atMs)}`) : null;
  try {
    giveToOwnerOf(existsSync(database) ? database : directory, file);
    syncToDisk(file);
    // The write-ahead log first: SQLite would apply it to whatever database is beside it.
    if (setAside !== null) for (const suffix of ["-wal", "-shm", ""]) move(`${database}${suffix}`, `${setAside}${suffix}`);
    renameSync(file, database);
    syncToDisk(directory);
    if (setAside !== null) move(headFileIn(directory), `${setAside}.head`);
    writeHead(directory, head, database);
    syncToDisk(directory);
    return setAside;
  } catch (thrown) {
    throw new PartnerdError("file_failed", `cannot replace ${database} with ${file}: ${messageOf(thrown)}`, {
      nextStep: "do not start the daemon; make the data directory writable and restore again",
      cause: thrown,
    });
  }
}

/** For the names of a damaged database's files: `20260101T120000Z`. */
function utc(atMs: number): string {
  return `${isoTime(atMs).slice(0, "yyyy-mm-ddThh:mm:ss".length).replace(/[-:]/g, "")}Z`;
}

function freeName(name: string, count = 1): string {
  const candidate = count === 1 ? name : `${name}-${count}`;
  return existsSync(candidate) ? freeName(name, count + 1) : candidate;
}

function move(from: string, to: string): void {
  if (existsSync(from)) renameSync(from, to);
}

function writeHead(directory: string, head: LogHead, database: string): void {
  const path = headFileIn(directory);
  using file = new HeadFile(path);
  file.write(head);
  if (file.failing !== null) throw file.failing;
  giveToOwnerOf(database, path);
}
