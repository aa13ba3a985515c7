/**
 * Notices that another program truncated the database or its write-ahead log in place, as `> FILE` or a log rotation does. SQLite then
 * answers from its cache and appends behind the hole: the next start would find neither the old rows nor the new ones.
 */
import { statSync } from "node:fs";
import type { Database } from "better-sqlite3";
import { PartnerdError } from "../../base/errors.ts";
import { walBytes } from "./wal.ts";

const [WAL_HEADER_BYTES, FRAME_HEADER_BYTES] = [32, 24];

export class CutFiles {
  readonly #database: Database;
  readonly #pageBytes: number;
  #walBytes: number;

  constructor(database: Database) {
    this.#database = database;
    this.#pageBytes = Number(database.pragma("page_size", { simple: true }));
    this.#walBytes = walBytes(database.name);
  }

  /** Call after each commit. */
  committed(): void {
    this.#walBytes = Math.max(this.#walBytes, walBytes(this.#database.name));
  }

  /**
   * Throws `database_moved` if one of the two was truncated; OpenFiles reports a missing one. Call outside a transaction. Takes a few
   * microseconds.
   */
  check(): void {
    const { name } = this.#database;
    if (statSync(name, { throwIfNoEntry: false })?.size === 0) throw cut(name);
    const bytes = statSync(`${name}-wal`, { throwIfNoEntry: false })?.size;
    if (bytes === undefined) return;
    if (bytes < this.#walBytes && bytes < this.#neededBytes()) throw cut(`${name}-wal`);
    this.#walBytes = bytes;
  }

  /** The least size of the write-ahead log with the commits that the database lacks. A checkpoint may have emptied it. */
  #neededBytes(): number {
    const [found] = this.#database.pragma("wal_checkpoint(NOOP)") as readonly { log: number; checkpointed: number }[];
    if (found === undefined || found.checkpointed >= found.log) return 0;
    return WAL_HEADER_BYTES + found.log * (FRAME_HEADER_BYTES + this.#pageBytes);
  }
}

function cut(path: string): PartnerdError {
  return new PartnerdError("database_moved", `${path} was truncated while it was in use`, {
    nextStep: "stop the daemon, and run `oc-partnerd restore --from FILE` with a backup",
  });
}
