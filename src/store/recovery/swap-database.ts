/** Another database takes the place of a data directory's own, which stays beside it under another name. */

import { chownSync, existsSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { messageOf, PartnerdError } from "../../base/errors.ts";
import { isoTime } from "../../base/units.ts";
import { HeadFile, headFileIn } from "../head/head-file.ts";
import type { LogHead } from "../model/log-head.ts";
import { DATABASE_NAME, syncToDisk } from "../sql/data-directory.ts";

/**
 * Puts `file`, of which nobody has a handle and which ends at `head`, in the place of the directory's database. Should it be ended in
 * between, the head file stands beside a database that it does not fit, which no daemon takes for its own. Returns where the database
 * that was there is now, with its write-ahead log and head file beside it; null where there was none. Throws `file_failed`.
 */
export function swapDatabase(file: string, directory: string, head: LogHead, atMs: number): string | null {
  const database = join(directory, DATABASE_NAME);
  const isThere = [database, `${database}-wal`, headFileIn(directory)].some((file) => existsSync(file));
  const setAside = isThere ? freeName(`${database}.damaged-${utc(atMs)}`) : null;
  try {
    ownAs(existsSync(database) ? database : directory, file);
    syncToDisk(file);
    // The write-ahead log first: beside another database it would be taken for that one's.
    if (setAside !== null) for (const suffix of ["-wal", "-shm", ""]) move(`${database}${suffix}`, `${setAside}${suffix}`);
    renameSync(file, database);
    syncToDisk(directory);
    if (setAside !== null) move(headFileIn(directory), `${setAside}.head`);
    writeHead(directory, head, database);
    syncToDisk(directory);
    return setAside;
  } catch (thrown) {
    throw new PartnerdError("file_failed", `cannot put ${file} in the place of ${database}: ${messageOf(thrown)}`, {
      nextStep: "start no daemon; make the data directory writable and restore again",
      cause: thrown,
    });
  }
}

/** What the files of a damaged database are called: `20260101T120000Z`. */
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

/** Whoever restores as root leaves a database that the daemon's user can write. */
function ownAs(owner: string, file: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(owner);
  chownSync(file, uid, gid);
}

function writeHead(directory: string, head: LogHead, database: string): void {
  const path = headFileIn(directory);
  using file = new HeadFile(path);
  file.write(head);
  if (file.failing !== null) throw file.failing;
  ownAs(database, path);
}
