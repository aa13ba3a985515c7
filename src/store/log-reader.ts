/** Reads the log of a data directory from beside its daemon, whether that runs or not. Changes nothing: neither rows nor schema. */

import { join } from "node:path";
import Database from "better-sqlite3";
import { and, asc, between, count, eq, getTableColumns, gt, gte, inArray, lte, max, min, or, type SQL } from "drizzle-orm";
import { drizzle } from "drizzle-orm/better-sqlite3";
import { PartnerdError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { type Projections, replay } from "./fold/replay.ts";
import type { Anchor } from "./model/anchor.ts";
import { type LogEntry, logEntryOf } from "./model/log-entry.ts";
import { eventLog, repeatedFailures } from "./schema/log.ts";
import { databaseFileOf } from "./sql/database-file.ts";
import { storeFailure } from "./sql/failure.ts";
import { refuseOtherSchema } from "./sql/migrations.ts";
import { refuseEmpty } from "./sql/open.ts";
import { type Tables, tables } from "./sql/tables.ts";

/** A row of the log with all that is known of it. */
export interface StoredEvent extends LogEntry {
  /** The message as received, or its first part where that is shorter than `payloadBytes`; null for what was observed. */
  readonly payload: Uint8Array | null;
  /** When a failure or refusal was last repeated, wall ms; null where it was not. */
  readonly lastRepeatedAtMs: number | null;
}

/** A part of the log: both ends are included. No peer: all of them, and what belongs to none. */
export interface LogWindow {
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly peerIds: readonly PeerId[];
}

/**
 * Each read is short, so that a daemon which writes meanwhile can still checkpoint. Every method throws `database_failed`, and
 * `events_archived`, which names the file, where it is asked for what is in an archive.
 */
export interface LogReader extends Disposable {
  /** The newest row; `seq` is 0 while the log is empty. */
  head(): { readonly seq: number; readonly atMs: number | null };
  /** The oldest row that is not in an archive; `seq` is 1 while the log is empty. */
  tail(): { readonly seq: number; readonly atMs: number | null };
  /** The seq of the first row of this wall time or later, and of the last one of this time or earlier; undefined where there is none. */
  firstSince(atMs: number): number | undefined;
  lastUntil(atMs: number): number | undefined;
  count(window: LogWindow): number;
  /** In the order of `seq`. */
  rows(window: LogWindow): Iterable<StoredEvent>;
  /** What was desired, and how the peers stood, before the row `seq` was appended. */
  stateBefore(seq: number): Projections;
}

const PAGE_ROWS = 500;

/**
 * `path` is a data directory, or a database file. Throws `database_failed` where there is no database or it is another
 * program's or an older schema's, `database_newer` where it is a newer one's.
 */
export function openLogReader(path: string): LogReader {
  const file = databaseFileOf(path);
  let opened: Database.Database | undefined;
  try {
    opened = new Database(file, { readonly: true, fileMustExist: true });
    refuseEmpty(opened, file);
    refuseOtherSchema(opened, file);
    return reader(opened, file);
  } catch (thrown) {
    opened?.close();
    throw storeFailure(`cannot read ${file}`, thrown);
  }
}

function reader(database: Database.Database, file: string): LogReader {
  const orm = drizzle({ client: database });
  const rows = tables(database);
  const columns = { ...getTableColumns(eventLog), lastRepeatedAtMs: repeatedFailures.lastAtMs };

  /** All that `work` reads is of one state of the log: another process may archive rows at any time. */
  const run = <Result>(work: () => Result): Result => {
    try {
      return database.transaction(work)();
    } catch (thrown) {
      throw storeFailure(`cannot read ${file}`, thrown);
    }
  };
  const page = (window: LogWindow, afterSeq: number) =>
    orm
      .select(columns)
      .from(eventLog)
      .leftJoin(repeatedFailures, eq(repeatedFailures.firstSeq, eventLog.seq))
      .where(and(within(window), gt(eventLog.seq, afterSeq)))
      .orderBy(asc(eventLog.seq))
      .limit(PAGE_ROWS)
      .all();

  const archivedUntil = () => rows.newestAnchor()?.lastSeq ?? 0;
  const seqOf = (which: SQL<number | null>, where: SQL) =>
    orm
      .select({ seq: which })
      .from(eventLog)
      .where(and(gt(eventLog.seq, archivedUntil()), where))
      .get()?.seq ?? undefined;

  return {
    head: () => run(() => rows.head() ?? { seq: 0, atMs: null }),
    tail: () =>
      run(() => {
        const seq = archivedUntil() + 1;
        return { seq, atMs: orm.select({ atMs: eventLog.atMs }).from(eventLog).where(eq(eventLog.seq, seq)).get()?.atMs ?? null };
      }),
    firstSince: (atMs) =>
      run(() => {
        refuseArchived(rows, (anchors) => anchors.find(({ lastAtMs }) => atMs <= lastAtMs));
        return seqOf(min(eventLog.seq), gte(eventLog.atMs, atMs));
      }),
    lastUntil: (atMs) =>
      run(() => {
        const seq = seqOf(max(eventLog.seq), lte(eventLog.atMs, atMs));
        if (seq === undefined) refuseArchived(rows, (anchors) => anchors.findLast(({ firstAtMs }) => firstAtMs <= atMs));
        return seq;
      }),
    count: (window) =>
      run(() => {
        refuseArchived(rows, holding(window.fromSeq));
        return orm.select({ rows: count() }).from(eventLog).where(within(window)).get()?.rows ?? 0;
      }),
    *rows(window) {
      let afterSeq = 0;
      for (;;) {
        const found = run(() => {
          refuseArchived(rows, holding(Math.max(window.fromSeq, afterSeq + 1)));
          return page(window, afterSeq);
        });
        for (const { lastRepeatedAtMs, ...row } of found) yield { ...logEntryOf(row), payload: row.payload, lastRepeatedAtMs };
        if (found.length < PAGE_ROWS) return;
        afterSeq = found.at(-1)?.seq ?? afterSeq;
      }
    },
    stateBefore: (seq) =>
      run(() => {
        refuseArchived(rows, holding(seq));
        const start = rows.replayStart();
        return replay(rows.log(start.seq, seq), start);
      }),
    [Symbol.dispose]: () => void database.close(),
  };
}

type FindAnchor = (anchors: readonly Anchor[]) => Anchor | undefined;

const holding =
  (seq: number): FindAnchor =>
  (anchors) =>
    anchors.find(({ lastSeq }) => seq <= lastSeq);

/** Throws where what is asked for is, or begins, in an archive. */
function refuseArchived(rows: Tables, find: FindAnchor): void {
  const anchors = rows.anchors();
  const [anchor, newest] = [find(anchors), anchors.at(-1)];
  if (anchor === undefined || newest === undefined) return;
  const { firstSeq, lastSeq, directory, file } = anchor;
  throw new PartnerdError("events_archived", `seq ${firstSeq} to ${lastSeq} are in the archive ${join(directory, file)}`, {
    nextStep: `begin with seq ${newest.lastSeq + 1} or later, or read from the database that \`oc-partnerd unarchive\` makes of all`,
  });
}

function within({ fromSeq, toSeq, peerIds }: LogWindow): SQL | undefined {
  const isOfPeers = or(inArray(eventLog.peerId, [...peerIds]), inArray(eventLog.supersededPeerId, [...peerIds]));
  return and(between(eventLog.seq, fromSeq, toSeq), peerIds.length === 0 ? undefined : isOfPeers);
}
