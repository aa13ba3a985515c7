/** Rebuilds a database from archived events: every row unchanged, with the projections that follow from the rows. */

import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { messageOf, PartnerdError } from "../../base/errors.ts";
import type { LogHead } from "../model/log-head.ts";
import { removedIfKilled } from "../recovery/removed-if-killed.ts";
import { DATABASE_NAME, databaseFileOf, syncToDisk } from "../sql/data-directory.ts";
import { storeFailure } from "../sql/failure.ts";
import { openDatabase, openReadOnly } from "../sql/open.ts";
import { tables } from "../sql/statements/tables.ts";
import { orderedParts, partsOf } from "./file/archive-files.ts";
import { RebuiltDatabase } from "./rebuilt-database.ts";

export interface UnarchiveOptions {
  /** Archive files in any order, without a gap from the first one of a log. */
  readonly files: readonly string[];
  /** A data directory, or a copy of its database: all of its archives are read, then the rows that it still holds. */
  readonly data?: string | undefined;
  /** A new database file. */
  readonly to: string;
  /** Called with the number of rows copied so far. */
  readonly onProgress?: (rows: number) => void;
}

export interface UnarchiveReport {
  readonly file: string;
  readonly events: number;
  readonly head: LogHead;
}

/**
 * Throws `usage` if archives are missing, `file_failed`, `archive_invalid` for a file that is damaged or is not the one the log names,
 * `database_failed` or `check_failed` for an unreadable or unsound log, and `database_newer` or `database_retired` for one of another
 * schema. Leaves nothing behind if it throws.
 */
export async function unarchive({ files, data, to, onProgress = () => {} }: UnarchiveOptions): Promise<UnarchiveReport> {
  const file = resolve(to);
  refuseExisting(file);
  using source = data === undefined ? undefined : openSource(data);
  const parts = source === undefined ? await orderedParts(files) : partsOf(source.anchors, source.directory, files);
  const workplace = makeWorkplace(file);
  using _killed = removedIfKilled([workplace]);
  try {
    const database = openDatabase(workplace);
    let head: LogHead;
    try {
      head = await new RebuiltDatabase(database, onProgress).run(parts, source?.database);
      // A single file, readable even from a directory that is read-only.
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
    throw storeFailure(`cannot create ${file}`, thrown);
  } finally {
    rmSync(workplace, { recursive: true, force: true });
  }
}

function openSource(data: string) {
  const file = databaseFileOf(data);
  return openReadOnly(file, (database) => ({
    database,
    anchors: tables(database).anchors(),
    directory: dirname(file),
    [Symbol.dispose]: () => void database.close(),
  }));
}

function refuseExisting(file: string): void {
  if (!existsSync(file)) return;
  throw new PartnerdError("file_failed", `${file} already exists and will not be overwritten`, {
    nextStep: "choose another file with --to DB",
  });
}

/** In the same directory as `file`, so that a rename can put the result in place. */
function makeWorkplace(file: string): string {
  try {
    return mkdtempSync(`${file}.making-`);
  } catch (thrown) {
    throw new PartnerdError("file_failed", `cannot write to the directory of ${file}: ${messageOf(thrown)}`, {
      nextStep: "choose a file in a writable directory with --to DB",
      cause: thrown,
    });
  }
}
