/** Fills a new database with the rows of archive files and of the log after them. */
import type Database from "better-sqlite3";
import { PartnerdError } from "../../base/errors.ts";
import { readRows, unreadableRows } from "../check/rows/row-reader.ts";
import { stateBehind } from "../fold/archived-state.ts";
import { FROM_ZERO, type ReplayStart } from "../fold/replay.ts";
import type { Cursor } from "../model/cursor.ts";
import { completeCursor, cursorAfter, type DerivedCursor } from "../model/derived-cursor.ts";
import { type Finding, sentenceOf } from "../model/finding.ts";
import type { LogRow } from "../model/log-entry.ts";
import type { LogHead } from "../model/log-head.ts";
import type { Repetition } from "../model/repetition.ts";
import { writeDerived } from "../recovery/copy-rows.ts";
import { tables } from "../sql/statements/tables.ts";
import type { ArchivePart } from "./file/archive-files.ts";
import { ArchiveFold } from "./file/archive-fold.ts";
import { readVerified } from "./file/verify-archive.ts";
import { carriedRepetitions } from "./file/write-verified.ts";

const ROWS_A_TRANSACTION = 2_000;

export class RebuiltDatabase {
  readonly #database: Database.Database;
  readonly #insert: (rows: readonly LogRow[]) => void;
  readonly #onProgress: (rows: number) => void;
  readonly #repetitions = new Map<number, Repetition>();
  #batch: LogRow[] = [];
  #cursor: DerivedCursor | undefined;
  #start: ReplayStart = FROM_ZERO;
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
      throw new PartnerdError("archive_invalid", `${path} has the SHA-256 ${sha256}, the log has ${anchor.fileSha256}`, {
        nextStep: "restore the file from a backup",
      });
    this.#start = { seq: header.lastSeq, chainHash: header.lastChainHash, ...stateBehind(state) };
  }

  /** The rows after the archives. The cursor is read with the last of them, so that it is not behind. */
  #takeRest(source: Database.Database): Cursor | null {
    const rows = tables(source);
    const fold = new ArchiveFold(this.#start);
    const readTo = (lastSeq: number) => {
      for (const read of readRows(source, this.#start.seq, lastSeq)) {
        if (read.kind === "unreadable") throw unsound(unreadableRows(read));
        for (const finding of fold.take(read.row)) throw unsound(finding);
        this.#take(read.row);
        this.#start = { ...this.#start, seq: read.row.seq, chainHash: read.row.chainHash };
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
    this.#start = { ...this.#start, ...stateBehind(fold.state()) };
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

function unsound(finding: Finding): PartnerdError {
  return new PartnerdError("check_failed", `the log is not sound: ${sentenceOf(finding)}`, {
    nextStep: "run `oc-partnerd check` for details; if events were archived in the meantime, run this again",
  });
}
