/** A commit that is written to the write-ahead log and not fsynced: a power loss keeps any part of it. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Random } from "../../base/clock.ts";

/** A disk writes whole sectors. */
const SECTOR_BYTES = 512;
/** SQLite fsyncs the header of its write-ahead log before it writes frames behind it. */
const HEADER_BYTES = 32;

export interface DatabasePaths {
  readonly database: string;
  readonly wal: string;
}

export class UnsyncedCommit {
  readonly #database: Buffer;
  readonly #wal: Buffer;

  /** Reads the files just before the commit. */
  constructor({ database, wal }: DatabasePaths) {
    this.#database = readFileSync(database);
    this.#wal = existsSync(wal) ? readFileSync(wal) : Buffer.alloc(0);
  }

  /** Whether a checkpoint followed, which fsyncs the write-ahead log first. */
  isCheckpointed({ database }: Pick<DatabasePaths, "database">): boolean {
    return !readFileSync(database).equals(this.#database);
  }

  /** Undoes a random part of the write: all of it, what comes after some place, or single sectors. */
  tear({ wal }: Pick<DatabasePaths, "wal">, random: Random): void {
    if (!existsSync(wal)) return;
    const before = this.#wal;
    const written = readFileSync(wal);
    const kept = keptSectors(Math.ceil(written.length / SECTOR_BYTES), random);
    const torn = Buffer.alloc(Math.max(before.length, written.length));
    before.copy(torn);
    written.copy(torn, 0, 0, HEADER_BYTES);
    let endsAt = Math.max(before.length, Math.min(HEADER_BYTES, written.length));
    for (const sector of kept) {
      const [from, to] = [sector * SECTOR_BYTES, Math.min((sector + 1) * SECTOR_BYTES, written.length)];
      written.copy(torn, from, from, to);
      endsAt = Math.max(endsAt, to);
    }
    writeFileSync(wal, torn.subarray(0, endsAt));
  }
}

function keptSectors(count: number, random: Random): readonly number[] {
  const sectors = Array.from({ length: count }, (_, index) => index);
  const how = random.next();
  if (how < 0.4) return [];
  if (how < 0.7) return sectors.slice(0, Math.floor(random.next() * (count + 1)));
  return sectors.filter(() => random.next() < 0.5);
}
