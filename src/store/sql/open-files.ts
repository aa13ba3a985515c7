/**
 * Notices that a file which this process has open is no longer the file at its path: it was moved, deleted or replaced, or another
 * file system was mounted over it. The next start would not find rows that are appended to it then.
 */
import { type BigIntStats, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Database } from "better-sqlite3";
import { messageOf, PartnerdError } from "../../base/errors.ts";

type FileId = Pick<BigIntStats, "dev" | "ino">;

export interface OpenFile {
  readonly path: string;
  /** For the reader of the error if the original is lost. */
  readonly ifLost: string;
}

/** The files of an open database. */
export function filesOf({ name }: Database): readonly OpenFile[] {
  return [
    { path: name, ifLost: "stop the daemon and run `oc-partnerd restore --from FILE` with a backup" },
    // Closing the database writes what is in them to the database itself.
    ...["-wal", "-shm"].map((suffix) => ({ path: `${name}${suffix}`, ifLost: "restart the daemon" })),
  ];
}

export class OpenFiles {
  readonly #files: readonly OpenFile[];
  readonly #ids = new Map<string, FileId>();

  /** Call right after opening them. A file that does not exist yet counts from when it does. */
  constructor(files: readonly OpenFile[]) {
    this.#files = files.map(({ path, ifLost }) => ({ path: resolve(path), ifLost }));
    for (const { path } of this.#files) {
      const id = idOf(path);
      if (id !== undefined) this.#ids.set(path, id);
    }
  }

  /** Throws `database_moved` if one of them is not in its place. Takes a few microseconds. */
  check(): void {
    for (const file of this.#files) this.#check(file);
  }

  #check({ path, ifLost }: OpenFile): void {
    const nextStep = `put the original back; if it is lost, ${ifLost}`;
    let found: FileId | undefined;
    try {
      found = idOf(path);
    } catch (thrown) {
      throw new PartnerdError("database_moved", `cannot look at ${path}, which is in use: ${messageOf(thrown)}`, {
        nextStep,
        cause: thrown,
      });
    }
    const known = this.#ids.get(path);
    if (known === undefined) {
      if (found !== undefined) this.#ids.set(path, found);
    } else if (found === undefined)
      throw new PartnerdError("database_moved", `${path} was moved or deleted while it was in use`, { nextStep });
    else if (found.ino !== known.ino || found.dev !== known.dev)
      throw new PartnerdError("database_moved", `${path} was replaced while it was in use`, { nextStep });
  }
}

function idOf(path: string): FileId | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false });
}
