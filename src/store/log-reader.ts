/** Reads the log of a data directory from beside its daemon, whether that runs or not. Changes nothing: neither rows nor schema. */
import Database from "better-sqlite3";
import { and, asc, between, count, eq, getTableColumns, gt, gte, inArray, lte, max, min, or, type SQL } from "drizzle-orm";
import { drizzle } from "drizzle-orm/better-sqlite3";
import type { PeerId } from "../ids.ts";
import { databaseFileOf } from "./database-file.ts";
import { storeFailure } from "./failure.ts";
import { type Logged, loggedOf } from "./logged.ts";
import { refuseOtherSchema } from "./migrations.ts";
import { refuseEmpty } from "./open.ts";
import { type Projections, replay } from "./replay.ts";
import { eventLog, repeatedFailures } from "./schema.ts";
import { tables } from "./tables.ts";

/** A row of the log with all that is known of it. */
export interface StoredEvent extends Logged {
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

/** Each read is short, so that a daemon which writes meanwhile can still checkpoint. Every method throws `database_failed`. */
export interface LogReader extends Disposable {
  /** The newest row; `seq` is 0 while the log is empty. */
  head(): { readonly seq: number; readonly atMs: number | null };
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

  const run = <Result>(work: () => Result): Result => {
    try {
      return work();
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

  return {
    head: () => run(() => rows.head() ?? { seq: 0, atMs: null }),
    firstSince: (atMs) =>
      run(
        () =>
          orm
            .select({ seq: min(eventLog.seq) })
            .from(eventLog)
            .where(gte(eventLog.atMs, atMs))
            .get()?.seq ?? undefined,
      ),
    lastUntil: (atMs) =>
      run(
        () =>
          orm
            .select({ seq: max(eventLog.seq) })
            .from(eventLog)
            .where(lte(eventLog.atMs, atMs))
            .get()?.seq ?? undefined,
      ),
    count: (window) => run(() => orm.select({ rows: count() }).from(eventLog).where(within(window)).get()?.rows ?? 0),
    *rows(window) {
      let afterSeq = 0;
      for (;;) {
        const found = run(() => page(window, afterSeq));
        for (const { lastRepeatedAtMs, ...row } of found) yield { ...loggedOf(row), payload: row.payload, lastRepeatedAtMs };
        if (found.length < PAGE_ROWS) return;
        afterSeq = found.at(-1)?.seq ?? afterSeq;
      }
    },
    stateBefore: (seq) => run(() => replay(rows.log(seq))),
    [Symbol.dispose]: () => void database.close(),
  };
}

function within({ fromSeq, toSeq, peerIds }: LogWindow): SQL | undefined {
  const isOfPeers = or(inArray(eventLog.peerId, [...peerIds]), inArray(eventLog.supersededPeerId, [...peerIds]));
  return and(between(eventLog.seq, fromSeq, toSeq), peerIds.length === 0 ? undefined : isOfPeers);
}
