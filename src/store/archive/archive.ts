/**
 * Moves old events to a file: checks them, writes the file, reads it back, inserts the anchor and deletes the rows. The log is sound
 * wherever this is interrupted: before the anchor nothing has changed, and after it only space remains to be freed.
 */

import { basename, dirname, join, resolve } from "node:path";
import type { Database } from "better-sqlite3";
import type { Clock } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import { openHeadFile } from "../head/open-head-file.ts";
import type { Anchor } from "../model/anchor.ts";
import { DATABASE_NAME, databaseFileOf } from "../sql/data-directory.ts";
import { storeFailure } from "../sql/failure.ts";
import { ARCHIVE_LOCK, lockDirectory } from "../sql/lock.ts";
import { openExistingDatabase } from "../sql/open.ts";
import { type Tables, tables } from "../sql/statements/tables.ts";
import { appendAnchor } from "./anchor.ts";
import { type ArchivePlan, type LogPlace, type Misdated, planArchive, plannedBytes } from "./archive-plan.ts";
import { carriedRepetitions, writeVerified } from "./file/write-verified.ts";
import { removeArchived } from "./remove-archived.ts";

/** The current step, in this order. `removing` also comes first if an earlier run was interrupted. */
export type ArchiveStep = "writing" | "reading back" | "written" | "anchored" | "removing";

export interface ArchiveOptions {
  /** The data directory. Its daemon may be running. */
  readonly data: string;
  readonly before: LogPlace;
  /** Target directory; default: `archive` in the data directory. */
  readonly to?: string | undefined;
  readonly clock: Clock;
  /** Only reports what would be archived. */
  readonly dryRun?: boolean;
  /** Called with the number of rows processed in this step, and their total. */
  readonly onProgress?: (step: ArchiveStep, rows: number, total: number) => void;
}

export type ArchiveReport = ArchiveFreed &
  /** There are no events before that point. */
  (
    | { readonly kind: "nothing" }
    /** A dry run. `bytes`: estimated bytes that it would free. */
    | { readonly kind: "planned"; readonly plan: ArchivePlan; readonly path: string; readonly bytes: number }
    | { readonly kind: "archived"; readonly anchor: Anchor; readonly path: string }
  );

interface ArchiveFreed {
  /** The rows that the clock misdated, if a time decides what is moved. */
  readonly misdated: Misdated;
  /** Number of rows deleted, and of bytes by which the free pages of the database grew. */
  readonly removed: number;
  readonly freedBytes: number;
}

/**
 * Throws `data_dir_in_use` if another archive is running, `check_failed` if the log is not sound up to the last row to move,
 * `file_failed`, `database_failed`, and whatever opening a database throws.
 */
export async function archive(options: ArchiveOptions): Promise<ArchiveReport> {
  const file = databaseFileOf(options.data);
  const directory = dirname(file);
  if (basename(file) !== DATABASE_NAME)
    throw new PartnerdError("usage", `--data is ${options.data}, expected the data directory of a daemon`, {
      nextStep: "name the data directory with --data; a copy of a database cannot be archived",
    });
  using _lock = lockDirectory(directory, ARCHIVE_LOCK);
  const database = openExistingDatabase(file);
  try {
    const to = resolve(options.to ?? join(directory, "archive"));
    return await new Archiving(database, directory, to, options).run();
  } catch (thrown) {
    throw storeFailure(`cannot archive events of ${file}`, thrown);
  } finally {
    database.close();
  }
}

class Archiving {
  readonly #database: Database;
  readonly #rows: Tables;
  readonly #directory: string;
  readonly #to: string;
  readonly #options: ArchiveOptions;

  constructor(database: Database, directory: string, to: string, options: ArchiveOptions) {
    this.#database = database;
    this.#rows = tables(database);
    this.#directory = directory;
    this.#to = to;
    this.#options = options;
  }

  async run(): Promise<ArchiveReport> {
    const { before, dryRun = false } = this.#options;
    const freeBytes = this.#freeBytes();
    const left = dryRun ? 0 : await this.#remove();
    const { plan, misdated } = planArchive(this.#database, this.#rows, before);
    const freed = (removed: number): ArchiveFreed => ({
      misdated,
      removed,
      freedBytes: Math.max(0, this.#freeBytes() - freeBytes),
    });
    if (plan === undefined) return { kind: "nothing", ...freed(left) };
    const path = join(this.#to, plan.file);
    if (dryRun) return { kind: "planned", plan, path, bytes: plannedBytes(this.#database, this.#rows, plan), ...freed(0) };
    const anchor = await this.#move(plan, path);
    return { kind: "archived", anchor, path, ...freed(left + (await this.#remove())) };
  }

  /** Ends with the anchor: from that commit on, the rows belong to the file. */
  async #move(plan: ArchivePlan, path: string): Promise<Anchor> {
    // The head file must name a row that stays: a head that the log no longer has looks like a truncated log.
    using head = openHeadFile(this.#database, this.#rows, this.#directory);
    if (head.failing !== null)
      throw new PartnerdError("file_failed", head.failing.message, {
        nextStep: "make the data directory writable",
        cause: head.failing,
      });
    const start = this.#rows.replayStart();
    const carried = carriedRepetitions(this.#database, plan.firstSeq);
    const { clock } = this.#options;
    const onRow = (step: "writing" | "reading back", rows: number) => this.#step(step, rows, plan.events);
    const written = await writeVerified({ database: this.#database, plan, path, start, carried, clock, onRow });
    this.#step("written", plan.events, plan.events);
    const { anchor, head: newest } = appendAnchor(
      this.#database,
      { ...plan, directory: this.#to, fileBytes: written.bytes, fileSha256: written.sha256 },
      { state: written.state, carried },
      clock,
    );
    head.write(newest);
    this.#step("anchored", plan.events, plan.events);
    return anchor;
  }

  #remove(): Promise<number> {
    const total = this.#archivedRows();
    return removeArchived(this.#database, this.#options.clock, (rows) => this.#step("removing", rows, total));
  }

  #archivedRows(): number {
    const query = "select count(*) from event_log where seq <= (select max(last_seq) from archive_anchor)";
    return this.#database.prepare<[], number>(query).pluck().get() ?? 0;
  }

  #freeBytes(): number {
    const pragma = (name: string) => Number(this.#database.pragma(name, { simple: true }));
    return pragma("freelist_count") * pragma("page_size");
  }

  #step(step: ArchiveStep, rows: number, total: number): void {
    this.#options.onProgress?.(step, rows, total);
  }
}
