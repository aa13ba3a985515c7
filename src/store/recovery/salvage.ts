/**
 * Replaces a damaged log with its provable rows: from the first one, as long as each follows from the one before. The daemon
 * reads later messages from the broker stream again; later observed events are lost.
 */
import { existsSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import type { Database } from "better-sqlite3";
import { PartnerdError } from "../../base/errors.ts";
import type { RestoreFacts } from "../../events/upkeep/upkeep-facts.ts";
import { checkDatabase } from "../check/check.ts";
import { readRows } from "../check/rows/row-reader.ts";
import { headFileIn } from "../head/head-file.ts";
import { refuseUnsound } from "../model/finding.ts";
import type { LogRow } from "../model/log-entry.ts";
import type { LogHead } from "../model/log-head.ts";
import { DATABASE_NAME } from "../sql/data-directory.ts";
import { closeAtEnd, openDatabase } from "../sql/open.ts";
import { appendRestored } from "./append-restored.ts";
import { lastSeqOf } from "./damaged.ts";
import { openDamaged, rebuildFromProven } from "./rebuild-from-proven.ts";
import { lockOutWriters, type Restored } from "./restore.ts";
import { swapDatabase } from "./swap-database.ts";

interface SalvageOptions {
  readonly directory: string;
  readonly nowMs: number;
  /** Called with the number of rows read so far and in all. */
  readonly onProgress?: (rows: number, total: number) => void;
}

export interface Salvaged extends Restored {
  /** The rows that were lost; null if all of them could be proved. */
  readonly lost: LostRows | null;
}

/** The directory for the new database, in the data directory. */
const WORK_NAME = "oc-partnerd.restoring";

/**
 * Throws `database_failed` if the directory never had a log, `data_dir_in_use` while a daemon runs, `check_failed` if the log is
 * readable but nothing in it can be proved, and `database_newer`, `database_retired` or `database_failed` if the database has another
 * schema; then nothing was changed. If nothing is readable, the new log is empty.
 */
export function salvage({ directory, nowMs, onProgress = () => {} }: SalvageOptions): Salvaged {
  const damaged = join(directory, DATABASE_NAME);
  refuseNothing(directory, damaged);
  using _locks = lockOutWriters(directory);
  const work = join(directory, WORK_NAME);
  rmSync(work, { recursive: true, force: true });
  const source = openDamaged(damaged);
  try {
    const lastSeq = lastSeqOf(damaged) ?? 0;
    const { seq, cursor } = rebuildFromProven(work, damaged, source, (row) => onProgress(row, lastSeq));
    const lost = lostRows(source, seq, lastSeq);
    // Close it before its files are moved.
    source?.close();
    const made = join(work, DATABASE_NAME);
    const report = checkDatabase({ path: made, withHistory: false });
    refuseUnsound(report, "restore a backup with --from FILE");
    const details = { backup: null, lastSeq: seq, lastSeqBefore: lastSeq > 0 ? lastSeq : null };
    const head = withRestored(work, details, nowMs);
    const setAside = swapDatabase(made, directory, head, nowMs);
    return { events: report.events, head, cursor, lost, setAside };
  } finally {
    source?.close();
    rmSync(work, { recursive: true, force: true });
  }
}

/** A mistyped directory would become a data directory, whose daemon is another peer. A head file proves that there was a log. */
function refuseNothing(directory: string, database: string): void {
  const head = headFileIn(directory);
  if ([database, `${database}-wal`, head].some((file) => existsSync(file))) return;
  const names = `neither ${DATABASE_NAME} nor ${basename(head)}`;
  throw new PartnerdError("database_failed", `there is no log in ${directory}: ${names}`, {
    nextStep: "name the daemon's data directory with --data DIR, or restore a backup with --from FILE",
  });
}

/** Returns the new head. */
function withRestored(directory: string, details: RestoreFacts, nowMs: number): LogHead {
  const database = openDatabase(directory);
  using _closing = closeAtEnd(database);
  const head = appendRestored(database, { reason: "proven_rows", details }, nowMs);
  database.pragma("wal_checkpoint(TRUNCATE)");
  return head;
}

/** The rows of a damaged log after its proven ones, counted by origin as far as they can be read. */
export interface LostRows {
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Messages from the broker stream, redelivered if it still holds them. */
  readonly fromStream: number;
  /** Messages from core NATS, which are not redelivered. */
  readonly byCore: number;
  /** Events that the daemon itself observed or recorded. */
  readonly observed: number;
  /** Unreadable rows, of any origin. */
  readonly unreadable: number;
}

/** Counts the rows after `afterSeq` up to `lastSeq`; null if there are none. `database` is undefined if it is unreadable. */
function lostRows(database: Database | undefined, afterSeq: number, lastSeq: number): LostRows | null {
  if (lastSeq <= afterSeq) return null;
  const counts = { fromStream: 0, byCore: 0, observed: 0 };
  for (const read of database === undefined ? [] : readRows(database, afterSeq, lastSeq))
    if (read.kind === "row") counts[kindOf(read.row)] += 1;
  const readable = counts.fromStream + counts.byCore + counts.observed;
  return { firstSeq: afterSeq + 1, lastSeq, ...counts, unreadable: lastSeq - afterSeq - readable };
}

function kindOf({ subject, streamSequence }: LogRow): "fromStream" | "byCore" | "observed" {
  if (subject === null) return "observed";
  return streamSequence === null ? "byCore" : "fromStream";
}
