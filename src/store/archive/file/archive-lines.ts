/** The lines of an archive file, out of the database, each row looked at before it is written. */

import type { Database } from "better-sqlite3";
import { PartnerdError } from "../../../base/errors.ts";
import { readRows, unreadableRows } from "../../check/rows/row-reader.ts";
import { type Finding, sentenceOf } from "../../model/finding.ts";
import type { Repetition } from "../../model/repetition.ts";
import type { ArchiveFold } from "./archive-fold.ts";
import { type ArchiveHeader, formatArchiveHeader, formatArchiveLine } from "./archive-format.ts";

interface ArchiveSource {
  readonly database: Database;
  readonly header: ArchiveHeader;
  /** Counts of failures in earlier archives that have gone on since. */
  readonly carried: readonly Repetition[];
  readonly fold: ArchiveFold;
  readonly onRow: (rows: number) => void;
}

/** Each page is a short read. Throws `check_failed` at the first row that does not hold, so that nothing of a broken log is moved. */
export function* archiveLines({ database, header, carried, fold, onRow }: ArchiveSource): Generator<string> {
  const select = "select first_seq as firstSeq, count, last_at_ms as lastAtMs from repeated_failures where first_seq = ?";
  const repetition = database.prepare<[number], Repetition>(select);
  let rows = 0;
  yield formatArchiveHeader(header);
  for (const read of readRows(database, header.firstSeq - 1, header.lastSeq)) {
    if (read.kind === "unreadable") throw unsound(unreadableRows(read));
    const { row } = read;
    for (const finding of fold.take(row)) throw unsound(finding);
    const isFailure = row.type === "OpenFailed" || row.type === "InboundRefused";
    yield formatArchiveLine({ kind: "row", row, repetition: isFailure ? (repetition.get(row.seq) ?? null) : null });
    onRow(++rows);
  }
  for (const counted of carried) yield formatArchiveLine({ kind: "repetition", repetition: counted });
  yield formatArchiveLine({ kind: "trailer", rows });
}

function unsound(finding: Finding): PartnerdError {
  return new PartnerdError("check_failed", `the log is not sound, and nothing of it was moved: ${sentenceOf(finding)}`, {
    nextStep: "see what else there is with `oc-partnerd check`, and put a sound log in its place with `oc-partnerd restore`",
  });
}

/** What failures in earlier archives were repeated, and are still counted here. */
export function carriedRepetitions(database: Database, firstSeq: number): readonly Repetition[] {
  const select = "select first_seq as firstSeq, count, last_at_ms as lastAtMs from repeated_failures where first_seq < ?";
  return database.prepare<[number], Repetition>(select).all(firstSeq);
}
