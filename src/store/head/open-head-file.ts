/** Opens the head file of a log before it is written to. */

import type { Database } from "better-sqlite3";
import { NO_ROWS } from "../model/log-head.ts";
import { storeFailure } from "../sql/failure.ts";
import type { Tables } from "../sql/statements/tables.ts";
import { HeadFile, type HeadRecord, headFileIn, readHeadFile, refuseTruncated } from "./head-file.ts";

/**
 * Compares the log with the head file, then writes the log's head to it. Throws `log_truncated` if rows are missing that no archive
 * holds, and `database_failed`.
 */
export function openHeadFile(database: Database, rows: Tables, directory: string): HeadFile {
  try {
    const path = headFileIn(directory);
    const record = recordIn(path);
    const head = rows.head() ?? NO_ROWS;
    const anchor = rows.newestAnchor();
    const chainHash = database.prepare<[number], string | null>("select chain_hash from event_log where seq = ?").pluck();
    const chainHashAt = (seq: number) => (seq === anchor?.lastSeq ? anchor.lastChainHash : (chainHash.get(seq) ?? null));
    refuseTruncated(path, record, head, chainHashAt, anchor?.lastSeq);
    const file = new HeadFile(path);
    file.write(head);
    return file;
  } catch (thrown) {
    throw storeFailure("cannot compare the log with its head", thrown);
  }
}

/** A running daemon may be writing the file, so a damaged record counts only if a second read confirms it. */
function recordIn(path: string): HeadRecord {
  const record = readHeadFile(path);
  return record.kind === "damaged" ? readHeadFile(path) : record;
}
