/** Writes an archive file from checked rows, reads it back from the disk, and renames it into place. */

import { existsSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import type { Database } from "better-sqlite3";
import type { Clock } from "../../../base/clock.ts";
import { messageOf, PartnerdError } from "../../../base/errors.ts";
import { readRows, unreadableRows } from "../../check/rows/row-reader.ts";
import { stateSha256Of } from "../../fold/archived-state.ts";
import type { ReplayStart } from "../../fold/replay.ts";
import { type Finding, REPLACE_THE_LOG, sentenceOf } from "../../model/finding.ts";
import type { Repetition } from "../../model/repetition.ts";
import { ensureDirectory, giveToOwnerOf, syncToDisk } from "../../sql/data-directory.ts";
import { readArchiveFile, writeArchiveFile } from "./archive-file.ts";
import { ArchiveFold } from "./archive-fold.ts";
import { type ArchiveHeader, formatArchiveHeader, formatArchiveLine } from "./archive-format.ts";
import { readVerified, type VerifiedArchive } from "./verify-archive.ts";

interface NewArchive {
  readonly database: Database;
  readonly plan: Pick<ArchiveHeader, "firstSeq" | "lastSeq" | "lastChainHash">;
  readonly path: string;
  /** The state of the log before the first row. */
  readonly start: ReplayStart;
  readonly carried: readonly Repetition[];
  readonly clock: Clock;
  readonly onRow: (step: "writing" | "reading back", rows: number) => void;
}

/** Throws `file_failed`, and `check_failed` if a row is not sound. If it throws, it leaves no new file of this name. */
export async function writeVerified({
  database,
  plan,
  path,
  start,
  carried,
  clock,
  onRow,
}: NewArchive): Promise<VerifiedArchive> {
  const { firstSeq, lastSeq, lastChainHash } = plan;
  const header = { firstSeq, lastSeq, lastChainHash, followsChainHash: start.chainHash, writtenAtMs: clock.wallMs() };
  const [directory, partial] = [dirname(path), `${path}.partial`];
  makeDirectory(directory, database.name);
  await refuseOther(path, header);
  try {
    const fold = new ArchiveFold(start);
    const lines = archiveLines({ database, header, carried, fold, onRow: (rows) => onRow("writing", rows) });
    await writeArchiveFile(partial, lines);
    giveToOwnerOf(database.name, partial);
    const verified = await readVerified(partial, start, { progress: (rows) => onRow("reading back", rows) });
    const [inLog, inFile] = [stateSha256Of(fold.state()), stateSha256Of(verified.state)];
    if (inLog !== inFile)
      throw new PartnerdError("internal_error", `the final state of ${partial} is ${inFile}, that of the log ${inLog}`);
    rename(partial, path);
    syncToDisk(directory);
    syncToDisk(dirname(directory));
    return verified;
  } catch (thrown) {
    rmSync(partial, { force: true });
    throw thrown;
  }
}

/**
 * Accepts a file with the same rows, left by a run that was interrupted before its anchor; it is overwritten. Refuses any other
 * file.
 */
async function refuseOther(path: string, wanted: ArchiveHeader): Promise<void> {
  if (!existsSync(path)) return;
  const other = new PartnerdError("file_failed", `${path} already exists and is not an archive of these events`, {
    nextStep: "move it away, or choose another directory with --to DIR",
  });
  try {
    const { header } = await readArchiveFile(path, { header() {}, row() {} });
    if (header.lastChainHash === wanted.lastChainHash && header.followsChainHash === wanted.followsChainHash) return;
  } catch {
    // Not an archive; leave it alone.
  }
  throw other;
}

function makeDirectory(directory: string, database: string): void {
  try {
    const isNew = !existsSync(directory);
    ensureDirectory(directory);
    if (isNew) giveToOwnerOf(database, directory);
  } catch (thrown) {
    const why = thrown instanceof PartnerdError ? (thrown.details.problem ?? "") : messageOf(thrown);
    throw new PartnerdError("file_failed", `cannot write to the directory ${directory}: ${why}`, {
      nextStep: "choose another directory with --to DIR",
      cause: thrown,
    });
  }
}

function rename(partial: string, path: string): void {
  try {
    renameSync(partial, path);
  } catch (thrown) {
    throw new PartnerdError("file_failed", `cannot rename ${partial} to ${path}: ${messageOf(thrown)}`, {
      nextStep: "make the directory writable, or choose another one with --to DIR",
      cause: thrown,
    });
  }
}

interface ArchiveSource {
  readonly database: Database;
  readonly header: ArchiveHeader;
  /** Counts of failures in earlier archives that have been repeated since. */
  readonly carried: readonly Repetition[];
  readonly fold: ArchiveFold;
  readonly onRow: (rows: number) => void;
}

/** Reads page by page. Throws `check_failed` at the first row that is not sound, so that no part of a broken log is moved. */
function* archiveLines({ database, header, carried, fold, onRow }: ArchiveSource): Generator<string> {
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
  return new PartnerdError("check_failed", `the log is not sound, nothing was moved: ${sentenceOf(finding)}`, {
    nextStep: `run \`oc-partnerd check\` for details, then ${REPLACE_THE_LOG}`,
  });
}

/** Counts of failures in earlier archives that are still kept in the database. */
export function carriedRepetitions(database: Database, firstSeq: number): readonly Repetition[] {
  const select =
    "select first_seq as firstSeq, count, last_at_ms as lastAtMs from repeated_failures where first_seq < ? order by first_seq";
  return database.prepare<[number], Repetition>(select).all(firstSeq);
}
