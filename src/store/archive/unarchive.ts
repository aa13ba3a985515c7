/** Archived events as a database again: every row as it was, and what follows from them. */

import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import Database from "better-sqlite3";
import { messageOf, PartnerdError } from "../../base/errors.ts";
import { readRows, unreadableRows } from "../check/rows/row-reader.ts";
import { projectionsOf } from "../fold/archived-state.ts";
import { FROM_ZERO } from "../fold/replay.ts";
import { CHAIN_START } from "../model/chain.ts";
import type { Cursor } from "../model/cursor.ts";
import { completeCursor, cursorAfter, type DerivedCursor } from "../model/derived-cursor.ts";
import { type Finding, sentenceOf } from "../model/finding.ts";
import type { LogRow } from "../model/log-entry.ts";
import type { LogHead } from "../model/log-head.ts";
import type { Repetition } from "../model/repetition.ts";
import { writeDerived } from "../recovery/copy-rows.ts";
import { DATABASE_NAME, databaseFileOf } from "../sql/database-file.ts";
import { storeFailure } from "../sql/failure.ts";
import { refuseOtherSchema } from "../sql/migrations.ts";
import { openDatabase, refuseEmpty } from "../sql/open.ts";
import { tables } from "../sql/statements/tables.ts";
import { syncToDisk } from "../sql/sync.ts";
import { type ArchivePart, orderedParts, partsOf } from "./file/archive-files.ts";
import { ArchiveFold, type ArchiveStart } from "./file/archive-fold.ts";
import { carriedRepetitions } from "./file/archive-lines.ts";
import { readVerified } from "./file/verify-archive.ts";

export interface UnarchiveOptions {
  /** Archive files, in any order, from the first one of a log on. */
  readonly files: readonly string[];
  /** A data directory, or a copy of its database: all of its archives are taken, and the rows that it still holds behind them. */
  readonly data?: string | undefined;
  /** A new database file. */
  readonly to: string;
  /** How many rows there are so far. */
  readonly onProgress?: (rows: number) => void;
}

export interface UnarchiveReport {
  readonly file: string;
  readonly events: number;
  readonly head: LogHead;
}

/**
 * Throws usage where archives are missing, `file_failed`, `archive_invalid` for a file that does not hold or is not the one that the log
 * names, `database_failed` and `check_failed` for a log that cannot be read or does not hold. Nothing is left behind then.
 */
export async function unarchive({ files, data, to, onProgress = () => {} }: UnarchiveOptions): Promise<UnarchiveReport> {
  const file = resolve(to);
  refuseExisting(file);
  using source = data === undefined ? undefined : openSource(data);
  const parts = source === undefined ? await orderedParts(files) : partsOf(source.rows.anchors(), source.directory, files);
  const workplace = makeWorkplace(file);
  try {
    const database = openDatabase(workplace);
    let head: LogHead;
    try {
      head = await new Restoring(database, onProgress).run(parts, source?.database);
      // A plain file, that can be read where nothing may be written beside it.
      database.pragma("journal_mode = delete");
    } finally {
      database.close();
    }
    const made = join(workplace, DATABASE_NAME);
    syncToDisk(made);
    refuseExisting(file);
    renameSync(made, file);
    syncToDisk(dirname(file));
    return { file, events: head.seq, head };
  } catch (thrown) {
    throw storeFailure(`cannot make ${file}`, thrown);
  } finally {
    rmSync(workplace, { recursive: true, force: true });
  }
}

const ROWS_A_TRANSACTION = 2_000;

class Restoring {
  readonly #database: Database.Database;
  readonly #insert: (rows: readonly LogRow[]) => void;
  readonly #onProgress: (rows: number) => void;
  readonly #repetitions = new Map<number, Repetition>();
  #batch: LogRow[] = [];
  #cursor: DerivedCursor | undefined;
  #start: ArchiveStart = { ...FROM_ZERO, chainHash: CHAIN_START };
  #atMs: number | null = null;

  constructor(database: Database.Database, onProgress: (rows: number) => void) {
    const { insertEvent } = tables(database);
    this.#database = database;
    const insert = database.transaction((rows: readonly LogRow[]) => rows.forEach(insertEvent));
    this.#insert = (rows) => insert.immediate(rows);
    this.#onProgress = onProgress;
  }

  async run(parts: readonly ArchivePart[], source: Database.Database | undefined): Promise<LogHead> {
    for (const part of parts) await this.#takeFile(part);
    const cursor = source === undefined ? completeCursor(this.#cursor, null) : this.#takeRest(source);
    this.#flush();
    writeDerived(this.#database, this.#start.projections, cursor, [...this.#repetitions.values()]);
    const { seq, chainHash } = this.#start;
    return { seq, chainHash, atMs: this.#atMs };
  }

  async #takeFile({ path, anchor }: ArchivePart): Promise<void> {
    const { header, state, sha256 } = await readVerified(path, this.#start, {
      row: ({ row, repetition }) => {
        this.#take(row);
        if (repetition !== null) this.#repetitions.set(row.seq, repetition);
      },
      repetition: (repetition) => this.#repetitions.set(repetition.firstSeq, repetition),
    });
    if (anchor !== null && anchor.fileSha256 !== sha256)
      throw new PartnerdError("archive_invalid", `${path} has the SHA-256 ${sha256}, the log says ${anchor.fileSha256}`, {
        nextStep: "take the file from a backup",
      });
    this.#start = { seq: header.lastSeq, chainHash: header.lastChainHash, projections: projectionsOf(state) };
  }

  /** The rows that are in no archive. The cursor is read with the last of them, so that it is not behind. */
  #takeRest(source: Database.Database): Cursor | null {
    const rows = tables(source);
    const fold = new ArchiveFold(this.#start);
    const readTo = (lastSeq: number) => {
      for (const read of readRows(source, this.#start.seq, lastSeq)) {
        if (read.kind === "unreadable") throw unsound(unreadableRows(read));
        for (const finding of fold.take(read.row)) throw unsound(finding);
        this.#take(read.row);
        this.#start = { ...this.#start, seq: read.row.seq, chainHash: read.row.chainHash ?? "" };
      }
    };
    const headSeq = () => rows.head()?.seq ?? 0;
    readTo(headSeq());
    const end = source.transaction(() => {
      readTo(headSeq());
      for (const repetition of carriedRepetitions(source, Number.MAX_SAFE_INTEGER))
        this.#repetitions.set(repetition.firstSeq, repetition);
      return rows.cursor() ?? null;
    });
    const cursor = end();
    this.#start = { ...this.#start, projections: projectionsOf(fold.state()) };
    return cursor;
  }

  #take(row: LogRow): void {
    this.#batch.push(row);
    this.#cursor = cursorAfter(this.#cursor, row);
    this.#atMs = row.atMs;
    this.#onProgress(row.seq);
    if (this.#batch.length >= ROWS_A_TRANSACTION) this.#flush();
  }

  #flush(): void {
    this.#insert(this.#batch);
    this.#batch = [];
  }
}

function openSource(data: string) {
  const file = databaseFileOf(data);
  const database = new Database(file, { readonly: true, fileMustExist: true });
  try {
    refuseEmpty(database, file);
    refuseOtherSchema(database, file);
    return { database, rows: tables(database), directory: dirname(file), [Symbol.dispose]: () => void database.close() };
  } catch (thrown) {
    database.close();
    throw storeFailure(`cannot read ${file}`, thrown);
  }
}

function refuseExisting(file: string): void {
  if (!existsSync(file)) return;
  throw new PartnerdError("file_failed", `${file} exists already, and nothing is overwritten`, {
    nextStep: "name another file with --to DB",
  });
}

/** Beside the file, so that it can be given its name. */
function makeWorkplace(file: string): string {
  try {
    return mkdtempSync(`${file}.making-`);
  } catch (thrown) {
    throw new PartnerdError("file_failed", `cannot write beside ${file}: ${messageOf(thrown)}`, {
      nextStep: "name a file in a directory that you may write to with --to DB",
      cause: thrown,
    });
  }
}

function unsound(finding: Finding): PartnerdError {
  return new PartnerdError("check_failed", `the log is not sound: ${sentenceOf(finding)}`, {
    nextStep: "see what else there is with `oc-partnerd check`; if events were archived meanwhile, run this again",
  });
}
