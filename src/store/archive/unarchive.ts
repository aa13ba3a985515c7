/** Archived events as a database again: every row as it was, and what follows from them. */

import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { messageOf, PartnerdError } from "../../base/errors.ts";
import type { LogHead } from "../model/log-head.ts";
import { DATABASE_NAME, databaseFileOf, syncToDisk } from "../sql/data-directory.ts";
import { storeFailure } from "../sql/failure.ts";
import { openDatabase, openReadOnly } from "../sql/open.ts";
import { tables } from "../sql/statements/tables.ts";
import { orderedParts, partsOf } from "./file/archive-files.ts";
import { RebuiltDatabase } from "./rebuilt-database.ts";

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
  const parts = source === undefined ? await orderedParts(files) : partsOf(source.anchors, source.directory, files);
  const workplace = makeWorkplace(file);
  try {
    const database = openDatabase(workplace);
    let head: LogHead;
    try {
      head = await new RebuiltDatabase(database, onProgress).run(parts, source?.database);
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
