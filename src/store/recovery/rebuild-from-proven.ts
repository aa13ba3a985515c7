/** Builds a new database from the rows of a damaged one that can be proved. */

import type Database from "better-sqlite3";
import { PartnerdError } from "../../base/errors.ts";
import { refuseOtherVersion } from "../check/file/schema-check.ts";
import { headBeside } from "../check/head-check.ts";
import { attempt, readRows } from "../check/rows/row-reader.ts";
import { records } from "../model/anchor.ts";
import type { Cursor } from "../model/cursor.ts";
import { completeCursor } from "../model/derived-cursor.ts";
import { eventOf } from "../model/log-entry.ts";
import { contradictionOf } from "../model/log-head.ts";
import { isEmpty, openDatabase } from "../sql/open.ts";
import { openToRead } from "../sql/open-to-read.ts";
import { archiveRows } from "../sql/statements/archive-rows.ts";
import { copyArchiveTables, copyLog, withoutGuards, writeDerived } from "./copy-rows.ts";
import { cursorIn, repetitionsIn } from "./damaged.ts";
import { EMPTY_LOG, ProvenRows, type ProvenStart, provenStart } from "./proven-rows.ts";

export interface RebuiltLog {
  /** The newest proven row; 0 if there is none. */
  readonly seq: number;
  readonly cursor: Cursor | null;
}

const BACKUP_INSTEAD = "restore a backup with --from FILE";

/** Undefined if SQLite cannot read the database or it is missing. Throws if it is of another schema or program. */
export function openDamaged(file: string): Database.Database | undefined {
  const opened = attempt(() => openToRead(file));
  if (!opened.ok) return undefined;
  try {
    if (isEmpty(opened.value)) throw new Error("there is nothing to read");
    refuseOtherVersion(opened.value, file);
    return opened.value;
  } catch (thrown) {
    opened.value.close();
    if (thrown instanceof PartnerdError) throw thrown;
    return undefined;
  }
}

/**
 * Creates a database in `directory` from `damaged`, which is open as `source`; an empty one if `source` is undefined. Throws
 * `check_failed` if the rows contradict the head file or their archive, so that none can be proved.
 */
export function rebuildFromProven(
  directory: string,
  damaged: string,
  source: Database.Database | undefined,
  onRow: (seq: number) => void,
): RebuiltLog {
  const made = openDatabase(directory);
  try {
    const rebuilt = source === undefined ? { seq: 0, cursor: null } : copyProven(source, made, damaged, onRow);
    made.pragma("wal_checkpoint(TRUNCATE)");
    return rebuilt;
  } finally {
    made.close();
  }
}

function copyProven(
  source: Database.Database,
  made: Database.Database,
  damaged: string,
  onRow: (seq: number) => void,
): RebuiltLog {
  const start = readableStart(source);
  const proven = new ProvenRows(start);
  withoutGuards(made, () => {
    if (start.seq > 0) copyArchiveTables(source, made);
    copyLog(made, proven.of(source, Number.MAX_SAFE_INTEGER), onRow);
  });
  const { last, projections } = proven;
  refuseContradiction(made, damaged, last);
  refuseUnprovenArchive(made, last.seq);
  const cursor = completeCursor(proven.cursor, cursorIn(damaged));
  const repetitions = repetitionsIn(source).filter(({ firstSeq }) => firstSeq <= last.seq);
  writeDerived(made, projections, cursor, repetitions);
  return { seq: last.seq, cursor };
}

/** If the archive is damaged, a log that still holds its first row can be read from there. */
function readableStart(source: Database.Database): ProvenStart {
  const start = attempt(() => provenStart(source));
  if (start.ok) return start.value;
  const first = attempt(() => source.prepare("select 1 from event_log where seq = 1").get());
  if (first.ok && first.value !== undefined) return EMPTY_LOG;
  throw new PartnerdError("check_failed", `the archive's anchor is damaged: ${start.why}`, { nextStep: BACKUP_INSTEAD });
}

/** Every row may follow from the one before it although the whole chain was recomputed; a recorded head reveals that. */
function refuseContradiction(made: Database.Database, damaged: string, last: ProvenRows["last"]): void {
  const beside = attempt(() => headBeside(damaged));
  const head = beside.ok ? beside.value.head : null;
  if (head === null || head.seq > last.seq) return;
  const chainHashAt = made.prepare<[number], string | null>("select chain_hash from event_log where seq = ?").pluck();
  const contradiction = contradictionOf(
    { seq: head.seq, chainHash: head.hashPrefix },
    last,
    (seq) => chainHashAt.get(seq) ?? null,
  );
  if (contradiction === null) return;
  throw new PartnerdError(
    "check_failed",
    `the rows follow from each other but were changed: ${head.from} names ${contradiction}`,
    {
      nextStep: `${BACKUP_INSTEAD}; or, to accept the rows as they are, first move ${head.from} away`,
    },
  );
}

/** The archived state can only be trusted if the row that records its hash is proven. */
function refuseUnprovenArchive(made: Database.Database, lastSeq: number): void {
  const anchor = archiveRows(made).newestAnchor();
  if (anchor === undefined) return;
  const [logged] = anchor.loggedSeq <= lastSeq ? readRows(made, anchor.loggedSeq - 1, anchor.loggedSeq) : [];
  if (logged?.kind === "row" && records(eventOf(logged.row), logged.row.atMs, anchor)) return;
  throw new PartnerdError(
    "check_failed",
    `the archive up to seq ${anchor.lastSeq} cannot be proved: row ${anchor.loggedSeq}, which records it, is missing or differs`,
    {
      nextStep: BACKUP_INSTEAD,
    },
  );
}
