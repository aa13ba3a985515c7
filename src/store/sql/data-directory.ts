/** Creates the data directory and the files in it, accessible only to the daemon's user. */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  statSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type ErrorCode, messageOf, PartnerdError } from "../../base/errors.ts";
import { shownValue } from "../../base/secrets/shown.ts";
import { withoutPath } from "../../base/setting-file.ts";

/** Creates the data directory (0700) if it does not exist. Throws `data_dir_unwritable`. */
export function ensureDirectory(directory: string): void {
  writing(directory, () => {
    makeDirectory(resolve(directory));
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  });
}

/** Level by level: Node's recursive mode loops forever below a directory that cannot hold directories, for example /proc. */
function makeDirectory(directory: string): void {
  if (existsSync(directory)) {
    if (!statSync(directory).isDirectory()) throw new Error(`${directory} is not a directory`);
    return;
  }
  const parent = dirname(directory);
  makeDirectory(parent);
  mkdirSync(directory, { mode: 0o700 });
  // Otherwise a power cut could remove the directory, and everything that was fsynced in it.
  syncToDisk(parent);
}

/** Creates a file (0600) in the data directory if it does not exist. Throws `data_dir_unwritable`. */
export function ensureFile(path: string, directory: string): void {
  writing(directory, () => {
    // SQLite gives its -wal and -shm files the mode of the database.
    if (!existsSync(path)) {
      closeSync(openSync(path, "wx", 0o600));
      giveToOwnerOf(directory, path);
    }
    accessSync(path, constants.R_OK | constants.W_OK);
  });
}

/** A command that root runs must leave files that the daemon's user can use: `path`, which it created, gets the owner of `model`. */
export function giveToOwnerOf(model: string, path: string): void {
  if (process.geteuid?.() !== 0) return;
  const { uid, gid } = statSync(model);
  const own = lstatSync(path);
  if (own.uid !== uid || own.gid !== gid) lchownSync(path, uid, gid);
}

function writing(directory: string, work: () => void): void {
  try {
    work();
  } catch (thrown) {
    throw new PartnerdError("data_dir_unwritable", `cannot write to the data directory ${directory}: ${messageOf(thrown)}`, {
      nextStep: "choose a directory that the daemon's user can write to with --data DIR",
      details: { problem: messageOf(thrown) },
      cause: thrown,
    });
  }
}

/** Fsyncs a file, or the entries of a directory. Throws `code`. */
export function syncToDisk(path: string, code: ErrorCode = "file_failed"): void {
  try {
    const descriptor = openSync(path, "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (thrown) {
    throw new PartnerdError(code, `cannot fsync ${path}: ${messageOf(thrown)}`, {
      nextStep: "check the disk",
      cause: thrown,
    });
  }
}

export const DATABASE_NAME = "oc-partnerd.db";

export const NAME_A_DATABASE = "name the daemon's data directory, or a copy of its database, with --data";

/** The database file in a data directory, or the file itself. Throws `database_failed`, with `nextStep`, if it does not exist. */
export function databaseFileOf(path: string, nextStep = NAME_A_DATABASE): string {
  try {
    const file = statSync(path).isDirectory() ? join(path, DATABASE_NAME) : path;
    // Opening a FIFO would wait for a writer.
    if (!statSync(file).isFile()) throw new Error("it is not a regular file");
    return file;
  } catch (thrown) {
    throw new PartnerdError("database_failed", `there is no database in ${shownValue(path)}: ${messageOf(withoutPath(thrown))}`, {
      nextStep,
      cause: thrown,
    });
  }
}
