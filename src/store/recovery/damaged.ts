/** Facts about a database that may be damaged or missing. Nothing here throws because of the content of the file. */

import { existsSync } from "node:fs";
import type Database from "better-sqlite3";
import { headBeside } from "../check/head-check.ts";
import { highestSeq } from "../check/rows/log-pass.ts";
import { attempt, rowsOf } from "../check/rows/row-reader.ts";
import { type Cursor, cursorChecksum, cursorOf } from "../model/cursor.ts";
import { type Repetition, repetitionChecksum } from "../model/repetition.ts";
import { ingestCursor, repeatedFailures } from "../schema/log.ts";
import { closeAtEnd } from "../sql/open.ts";
import { openToRead } from "../sql/open-to-read.ts";

/** The newest row that the log is known to have had, by the database or the head file beside it; null if unknown. */
export function lastSeqOf(file: string): number | null {
  const inFile = reading(file, highestSeq) ?? 0;
  const beside = attempt(() => headBeside(file).head);
  const last = Math.max(inFile, (beside.ok && beside.value?.seq) || 0);
  return last === 0 ? null : last;
}

/** The cursor, if its checksum matches. */
export function cursorIn(file: string): Cursor | null {
  const rows = reading(file, (database) => rowsOf<typeof ingestCursor.$inferSelect>(database, "ingest_cursor", ingestCursor));
  const sound = (rows ?? []).find((row) => row.checksum === cursorChecksum(row));
  return sound === undefined ? null : cursorOf(sound);
}

/** The counts of failures whose checksums match. */
export function repetitionsIn(database: Database.Database): readonly Repetition[] {
  const rows = attempt(() => rowsOf<typeof repeatedFailures.$inferSelect>(database, "repeated_failures", repeatedFailures));
  return (rows.ok ? rows.value : []).filter((row) => row.checksum === null || row.checksum === repetitionChecksum(row));
}

function reading<Result>(file: string, read: (database: Database.Database) => Result): Result | undefined {
  if (!existsSync(file)) return undefined;
  const result = attempt(() => {
    const database = openToRead(file);
    using _closing = closeAtEnd(database);
    return read(database);
  });
  return result.ok ? result.value : undefined;
}
