/** Where the rows say that they stand in the broker's stream, and the cursor, which must not be behind them. */
import type { Database } from "better-sqlite3";
import { cursorChecksum } from "../cursor.ts";
import { parseDedupeKey } from "../dedupe-key.ts";
import { type Finding, rowPlace } from "../finding.ts";
import { ingestCursor } from "../schema.ts";
import { typeProblems } from "./column-types.ts";
import type { RowCheck } from "./row-check.ts";
import { rowsOf } from "./rows.ts";

export interface StreamPlaces extends RowCheck {
  /** The cursor, against the rows so far; to be called in the transaction that read the last of them. */
  cursor(database: Database): Iterable<Finding>;
}

/** The newest message of a stream that is in the log. */
interface Newest {
  readonly seq: number;
  readonly created: string;
  readonly sequence: number;
}

export function streamPlaces(): StreamPlaces {
  let newest: Newest | undefined;
  return {
    *row({ seq, type, reason, dedupeKey, streamSequence }) {
      // From here on the broker gives sequences away a second time, or the stream is another one.
      if (type === "DeliveryGap" && reason !== "purged") newest = undefined;
      const key = dedupeKey === null ? undefined : parseDedupeKey(dedupeKey);
      if (key === undefined || streamSequence === null) return;
      if (key.sequence !== streamSequence)
        yield {
          place: rowPlace(seq),
          problem: `dedupe_key is of sequence ${key.sequence}, stream_sequence is ${streamSequence}`,
        };
      const isNewer = newest === undefined || newest.created !== key.created || newest.sequence < streamSequence;
      if (isNewer) newest = { seq, created: key.created, sequence: streamSequence };
    },
    *cursor(database) {
      const rows = rowsOf<typeof ingestCursor.$inferSelect>(database, "ingest_cursor", ingestCursor);
      if (rows.length > 1) yield { place: "ingest_cursor", problem: `has ${rows.length} rows, and not one` };
      if (rows.length === 0 && newest !== undefined)
        yield { place: "ingest_cursor", problem: `has no row, although ${rowPlace(newest.seq)} came from a stream` };
      const problemsOf = typeProblems(ingestCursor);
      for (const row of rows) {
        const place = `ingest_cursor row ${row.id}`;
        for (const problem of problemsOf(row)) yield { place, problem };
        if (row.checksum !== cursorChecksum(row)) yield { place, problem: "checksum is not that of its columns" };
        if (row.sequence < row.firstSequence - 1)
          yield { place, problem: `sequence ${row.sequence} is before first_sequence ${row.firstSequence}` };
        if (newest !== undefined && newest.created === row.created && newest.sequence > row.sequence)
          yield { place, problem: `sequence ${row.sequence} is behind ${newest.sequence}, which is ${rowPlace(newest.seq)}` };
      }
    },
  };
}
