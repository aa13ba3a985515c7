/** The rows of a damaged log that can be proved: each is sound and follows from the one before it, from where the log begins. */

import type { Database } from "better-sqlite3";
import { chainCheck } from "../check/rows/chain-check.ts";
import { columnTypesCheck } from "../check/rows/column-types.ts";
import { payloadCheck } from "../check/rows/payload-check.ts";
import { replayCheck } from "../check/rows/replay-check.ts";
import type { RowCheck } from "../check/rows/row-check.ts";
import { attempt, readRows } from "../check/rows/row-reader.ts";
import { projectionsOf } from "../fold/archived-state.ts";
import { FROM_ZERO, type Projections, startReplay } from "../fold/replay.ts";
import { cursorAfter, type DerivedCursor } from "../model/derived-cursor.ts";
import type { LogRow } from "../model/log-entry.ts";
import { LOG_BEGINNING, type LogHead, type LogStart } from "../model/log-head.ts";
import { archiveRows } from "../sql/statements/archive-rows.ts";

/** Where the rows of a log begin, and how things stood there. */
export interface ProvenStart {
  readonly start: LogStart;
  readonly projections: Projections;
  readonly cursor: DerivedCursor | undefined;
}

/** Of a log without an archive. */
export const EMPTY_LOG: ProvenStart = {
  start: LOG_BEGINNING,
  projections: FROM_ZERO.projections,
  cursor: undefined,
};

/** Behind the newest archive, if there is one. Throws `database_failed` where what stands for the archive is damaged. */
export function provenStart(database: Database): ProvenStart {
  const archived = archiveRows(database);
  const anchor = archived.newestAnchor();
  if (anchor === undefined) return EMPTY_LOG;
  const cursor = archived
    .archivedDeliveries()
    .reduce<DerivedCursor | undefined>((before, row) => cursorAfter(before, row), undefined);
  return {
    start: { seq: anchor.lastSeq, chainHash: anchor.lastChainHash },
    projections: projectionsOf(archived.archivedState(anchor)),
    cursor: cursor && furthestArchived(database, cursor, anchor.lastSeq),
  };
}

/** The messages that were archived are past the rows about the stream itself. */
function furthestArchived(database: Database, cursor: DerivedCursor, lastSeq: number): DerivedCursor {
  const newest = `
    select max(stream_sequence) from (
      select stream_sequence, stream_created from archived_peer union all select stream_sequence, stream_created from archived_resource
    ) where stream_created = ?`;
  const sequence = database.prepare<[string], number | null>(newest).pluck().get(cursor.created) ?? 0;
  return sequence > cursor.sequence ? { ...cursor, sequence, messageHash: null, seq: lastSeq } : cursor;
}

/** Takes rows for as long as they can be proved, and knows what they come to. */
export class ProvenRows {
  readonly #checks: readonly RowCheck[];
  readonly projections: Projections;
  #last: LogHead;
  #cursor: DerivedCursor | undefined;

  constructor({ start, projections, cursor }: ProvenStart) {
    const replay = startReplay(projections);
    this.#checks = [chainCheck(start), columnTypesCheck(), payloadCheck(), replayCheck(replay)];
    this.projections = replay;
    this.#last = { ...start, atMs: null };
    this.#cursor = cursor;
  }

  /** The newest row that is proved, or where the log begins. */
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
      this.#last = { seq, chainHash: chainHash ?? "", atMs };
      this.#cursor = cursorAfter(this.#cursor, read.row);
      yield read.row;
    }
  }

  #isProved(row: LogRow): boolean {
    const looked = attempt(() => this.#checks.every((check) => [...check.row(row)].length === 0));
    return looked.ok && looked.value;
  }
}
