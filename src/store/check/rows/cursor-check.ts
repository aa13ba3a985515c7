/** Checks the cursor, which must not be behind the position in the broker stream that the rows prove. */
import type { Database } from "better-sqlite3";
import { type Cursor, type CursorRow, cursorChecksum, cursorOf } from "../../model/cursor.ts";
import { parseDedupeKey } from "../../model/dedupe-key.ts";
import { completeCursor, cursorAfter, type DerivedCursor } from "../../model/derived-cursor.ts";
import type { UnprovenClaim } from "../../model/finding.ts";
import { type Finding, rowPlace } from "../../model/finding.ts";
import { ingestCursor } from "../../schema/log.ts";
import { typeProblems } from "./column-types.ts";
import type { RowCheck } from "./row-reader.ts";
import { rowsOf } from "./row-reader.ts";

export interface CursorCheck extends RowCheck {
  /** Checks the cursor against the rows so far. Call in the transaction that read the last of them. */
  cursor(database: Database): Iterable<Finding>;
  /** The position that the rows so far prove, if the cursor is sound but behind it; otherwise null. */
  ahead(database: Database): Cursor | null;
  /** The sequences that the cursor claims and no row proves. */
  witnesses(database: Database): Iterable<UnprovenClaim>;
}

/** `start`: the cursor before the first row. */
export function cursorCheck(start?: DerivedCursor): CursorCheck {
  let derived = start;
  return {
    *row(row) {
      derived = cursorAfter(derived, row);
      const { seq, dedupeKey, streamSequence } = row;
      const sequence = dedupeKey === null ? undefined : parseDedupeKey(dedupeKey)?.sequence;
      if (sequence !== undefined && streamSequence !== sequence)
        yield { place: rowPlace(seq), problem: `dedupe_key has sequence ${sequence}, stream_sequence is ${streamSequence}` };
    },
    *cursor(database) {
      const rows = rowsOf<CursorRow>(database, "ingest_cursor", ingestCursor);
      if (rows.length > 1) yield { place: "ingest_cursor", problem: `has ${rows.length} rows, expected one` };
      if (rows.length === 0 && derived !== undefined)
        yield { place: "ingest_cursor", problem: `is empty, although ${rowPlace(derived.seq)} names a broker stream` };
      const problemsOf = typeProblems(ingestCursor);
      for (const row of rows) {
        const found = [...problemsOf(row), ...cursorProblems(row, derived)];
        for (const problem of found) yield { place: `ingest_cursor row ${row.id}`, problem };
      }
    },
    ahead(database) {
      const [row, ...others] = rowsOf<CursorRow>(database, "ingest_cursor", ingestCursor);
      if (row === undefined || others.length > 0 || behindProblem(row, derived) === null) return null;
      const isSound = [...typeProblems(ingestCursor)(row), ...otherProblems(row, derived)].length === 0;
      return isSound ? completeCursor(derived, cursorOf(row)) : null;
    },
    *witnesses(database) {
      for (const { id, stream, sequence, firstSequence } of rowsOf<CursorRow>(database, "ingest_cursor", ingestCursor)) {
        const proven = derived?.sequence ?? firstSequence - 1;
        if (sequence > proven)
          yield {
            place: `ingest_cursor row ${id}`,
            claim: `sequences ${proven + 1} to ${sequence} left no row, because they were irrelevant or the cursor was moved`,
            witness: `stream ${stream} shows which, if it still holds them: run \`oc-partnerd resync\`, which logs what is missing`,
          };
      }
    },
  };
}

function cursorProblems(row: CursorRow, derived: DerivedCursor | undefined): string[] {
  const behind = behindProblem(row, derived);
  return [...otherProblems(row, derived), ...(behind === null ? [] : [behind])];
}

/** No harm by itself: the daemon moves the cursor forward when it starts. A faulty version moved it back. */
function behindProblem({ created, sequence }: CursorRow, derived: DerivedCursor | undefined): string | null {
  if (derived?.created !== created || sequence >= derived.sequence) return null;
  return `sequence ${sequence} is behind ${derived.sequence}, which ${rowPlace(derived.seq)} has reached; the daemon corrects it at its next start`;
}

function* otherProblems(row: CursorRow, derived: DerivedCursor | undefined): Generator<string> {
  if (row.checksum !== cursorChecksum(row)) yield "checksum does not match its columns";
  if (row.sequence < row.firstSequence - 1) yield `sequence ${row.sequence} is before first_sequence ${row.firstSequence}`;
  if (derived === undefined) return;
  const said = rowPlace(derived.seq);
  if (row.created !== derived.created)
    yield `is for a stream created at ${row.created}, ${said} for one created at ${derived.created}`;
  if (derived.stream !== null && row.stream !== derived.stream)
    yield `stream is ${row.stream}, the log follows ${derived.stream}`;
  if (derived.firstSequence !== null && row.firstSequence !== derived.firstSequence)
    yield `first_sequence is ${row.firstSequence}, the log follows the stream from ${derived.firstSequence}`;
}
