/** The data directory and the files in it, made for the daemon's user alone. */
import { accessSync, closeSync, constants, existsSync, mkdirSync, openSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { messageOf, PartnerdError } from "../../base/errors.ts";

/** Makes the data directory (0700) where there is none. Throws `data_dir_unwritable`. */
export function ensureDirectory(directory: string): void {
  writing(directory, () => {
    makeDirectory(resolve(directory));
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  });
}

/** Level by level: Node's own recursive mode spins for ever below a directory that refuses to hold any, such as /proc. */
function makeDirectory(directory: string): void {
  if (existsSync(directory)) return;
  makeDirectory(dirname(directory));
  mkdirSync(directory, { mode: 0o700 });
}

/** Makes a file (0600) of the data directory where there is none. Throws `data_dir_unwritable`. */
export function ensureFile(path: string, directory: string): void {
  writing(directory, () => {
    // SQLite gives its -wal and -shm files the mode of the database.
    if (!existsSync(path)) closeSync(openSync(path, "wx", 0o600));
    accessSync(path, constants.R_OK | constants.W_OK);
  });
}

function writing(directory: string, work: () => void): void {
  try {
    work();
  } catch (thrown) {
    throw new PartnerdError("data_dir_unwritable", `cannot write to the data directory ${directory}: ${messageOf(thrown)}`, {
      nextStep: "choose a directory that the daemon's user may write with --data DIR",
      cause: thrown,
    });
  }
}
