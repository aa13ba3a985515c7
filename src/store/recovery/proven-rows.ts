/** The rows of a damaged log that can be proved: from its beginning, each one is sound and follows from the one before. */

import type { Database } from "better-sqlite3";
import { archivedCursor } from "../check/archived-cursor.ts";
import type { RowCheck } from "../check/rows/row-reader.ts";
import { attempt, readRows } from "../check/rows/row-reader.ts";
import { soundRowChecks } from "../check/rows/sound-rows.ts";
import { FROM_ZERO, type Projections, type ReplayStart, startReplay } from "../fold/replay.ts";
import { cursorAfter, type DerivedCursor } from "../model/derived-cursor.ts";
import type { LogRow } from "../model/log-entry.ts";
import type { LogHead } from "../model/log-head.ts";
import { archiveRows } from "../sql/statements/archive-rows.ts";

/** The row before the first one of a log, with the state and the cursor there. */
export interface ProvenStart extends ReplayStart {
  readonly cursor: DerivedCursor | undefined;
}

/** The beginning of a log without an archive. */
export const EMPTY_LOG: ProvenStart = { ...FROM_ZERO, cursor: undefined };

/** The end of the newest archive, or EMPTY_LOG. Throws `database_failed` if the anchor is damaged. */
export function provenStart(database: Database): ProvenStart {
  const archived = archiveRows(database);
  const anchor = archived.newestAnchor();
  if (anchor === undefined) return EMPTY_LOG;
  return { ...archived.startBehind(anchor), cursor: archivedCursor(database, anchor) };
}

/** Takes rows while they can be proved, and folds them. */
export class ProvenRows {
  readonly #checks: readonly RowCheck[];
  readonly projections: Projections;
  #last: LogHead;
  #cursor: DerivedCursor | undefined;

  constructor(start: ProvenStart) {
    const replay = startReplay(start.projections);
    this.#checks = soundRowChecks(start, replay);
    this.projections = replay;
    this.#last = { seq: start.seq, chainHash: start.chainHash, atMs: null };
    this.#cursor = start.cursor;
  }

  /** The newest proven row, or the beginning of the log. */
  get last(): LogHead {
    return this.#last;
  }

  get cursor(): DerivedCursor | undefined {
    return this.#cursor;
  }

  /** The rows of `database` up to the first that cannot be proved. */
  *of(database: Database, lastSeq: number): Generator<LogRow> {
    for (const read of readRows(database, this.#last.seq, lastSeq)) {
      if (read.kind === "unreadable" || !this.#isProved(read.row)) return;
      const { seq, chainHash, atMs } = read.row;
      this.#last = { seq, chainHash, atMs };
      this.#cursor = cursorAfter(this.#cursor, read.row);
      yield read.row;
    }
  }

  #isProved(row: LogRow): boolean {
    const looked = attempt(() => this.#checks.every((check) => [...check.row(row)].length === 0));
    return looked.ok && looked.value;
  }
}
