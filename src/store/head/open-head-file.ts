/** The head file of a log that is about to be written to. */

import type { Database } from "better-sqlite3";
import { NO_ROWS } from "../model/log-head.ts";
import { storeFailure } from "../sql/failure.ts";
import type { Tables } from "../sql/statements/tables.ts";
import { HeadFile, type HeadRecord, headFileIn, readHeadFile, refuseTruncated } from "./head-file.ts";

/**
 * Compares the log with the file, and writes the log's head to it. Throws `log_truncated` where the file says that rows are gone which no
 * archive holds, and `database_failed`.
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

/** A daemon may write it while it is read: what is damaged has to be so a second time. */
function recordIn(path: string): HeadRecord {
  const record = readHeadFile(path);
  return record.kind === "damaged" ? readHeadFile(path) : record;
}
