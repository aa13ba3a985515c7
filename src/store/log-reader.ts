/** Reads the log of a data directory from beside its daemon, whether that runs or not. Changes nothing: neither rows nor schema. */

import { join } from "node:path";
import type { Database } from "better-sqlite3";
import { and, asc, between, count, eq, getTableColumns, gt, gte, inArray, lte, max, min, or, type SQL } from "drizzle-orm";
import { type BetterSQLite3Database, drizzle } from "drizzle-orm/better-sqlite3";
import { PartnerdError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { isoTime } from "../base/units.ts";
import type { EventSettings } from "../events/vocabulary.ts";
import type { LogPlace } from "./archive/archive-plan.ts";
import { readRows, unreadableRows } from "./check/rows/row-reader.ts";
import { Reinterpretation, type Reinterpreted } from "./fold/reinterpret.ts";
import type { Projections } from "./fold/replay.ts";
import type { Anchor } from "./model/anchor.ts";
import { REPLACE_THE_LOG, sentenceOf } from "./model/finding.ts";
import { type LogEntry, logEntryOf } from "./model/log-entry.ts";
import { type LogHead, NO_ROWS } from "./model/log-head.ts";
import { type HistoryRow, historyUntil } from "./past/history-until.ts";
import { seqAt } from "./past/moment.ts";
import { type PeerAsOf, type PeerDetailAsOf, peerAsOf, peersAsOf } from "./past/peers-as-of.ts";
import { restatedRows } from "./past/restated-rows.ts";
import { eventLog, repeatedFailures } from "./schema/log.ts";
import { databaseFileOf } from "./sql/data-directory.ts";
import { storeFailure } from "./sql/failure.ts";
import { openReadOnly } from "./sql/open.ts";
import { replayTables, type Tables, tables } from "./sql/statements/tables.ts";

/** A row of the log with everything known about it. */
export interface StoredEvent extends LogEntry {
  /** The message as received, or its first part if that is shorter than `payloadBytes`; null for an observed event. */
  readonly payload: Uint8Array | null;
  /** When a failure or refusal was last repeated, wall ms; null if it was not. */
  readonly lastRepeatedAtMs: number | null;
}

/** A part of the log, both ends included. No peers: all of them, and rows without a peer. */
export interface LogWindow {
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly peerIds: readonly PeerId[];
}

type LogPoint = Pick<LogHead, "seq" | "atMs">;

/** The state after the row `seq`. */
export interface Moment {
  readonly seq: number;
  /** The time that was asked for, or that of the row. */
  readonly atMs: number;
}

export interface AsOf extends Moment {
  readonly peers: readonly PeerAsOf[];
}

/** A peer that was neither desired nor had a stream is undefined. */
export interface PeerPast extends Moment {
  readonly peer: PeerDetailAsOf | undefined;
  readonly history: readonly HistoryRow[];
}

interface ReinterpretReport {
  readonly changes: readonly Reinterpreted[];
  readonly decoded: number;
  readonly kept: number;
}

const PAGE_ROWS = 500;

const UNSOUND = { nextStep: `run \`oc-partnerd check\` for details, then ${REPLACE_THE_LOG}` };

/**
 * `path` is a data directory or a database file. Throws `database_failed` if there is no database, or it belongs to another program or
 * has an older schema, `database_newer` for a newer schema, and `database_retired` for one from before the first release.
 */
export function openLogReader(path: string): LogReader {
  const file = databaseFileOf(path);
  return openReadOnly(file, (database) => new LogReader(database, file));
}

/**
 * Each read sees one state of the log, because another process may archive rows at any time, and is short, so that a running daemon
 * can checkpoint. Every method throws `database_failed`, and `events_archived`, which names the file, for rows that are in an archive.
 */
export class LogReader implements Disposable {
  readonly #database: Database;
  readonly #file: string;
  readonly #orm: BetterSQLite3Database;
  readonly #rows: Tables;

  constructor(database: Database, file: string) {
    this.#database = database;
    this.#file = file;
    this.#orm = drizzle({ client: database });
    this.#rows = tables(database);
  }

  /** The newest row; `seq` is 0 while the log is empty. */
  head(): LogPoint {
    return this.#read(() => this.#rows.head() ?? NO_ROWS);
  }

  /** As Store.identity. */
  identity(): PeerId | undefined {
    return this.#read(() => this.#rows.lastRun()?.peerId);
  }

  /** The oldest row that is not in an archive; `seq` is 1 while the log is empty. */
  tail(): LogPoint {
    return this.#read(() => {
      const seq = this.#archivedUntil() + 1;
      const row = this.#orm.select({ atMs: eventLog.atMs }).from(eventLog).where(eq(eventLog.seq, seq)).get();
      return { seq, atMs: row?.atMs ?? null };
    });
  }

  /** The seq of the first row of this wall time or later; undefined if there is none. */
  firstSince(atMs: number): number | undefined {
    return this.#read(() => {
      this.#refuseArchived((anchors) => anchors.find(({ lastAtMs }) => atMs <= lastAtMs));
      return this.#seqOf(min(eventLog.seq), gte(eventLog.atMs, atMs));
    });
  }

  /** The seq of the last row of this wall time or earlier; undefined if there is none. */
  lastUntil(atMs: number): number | undefined {
    return this.#read(() => {
      const seq = this.#seqOf(max(eventLog.seq), lte(eventLog.atMs, atMs));
      if (seq === undefined) this.#refuseArchived((anchors) => anchors.findLast(({ firstAtMs }) => firstAtMs <= atMs));
      return seq;
    });
  }

  count(window: LogWindow): number {
    return this.#read(() => {
      this.#refuseArchived(holding(window.fromSeq));
      return this.#orm.select({ rows: count() }).from(eventLog).where(within(window)).get()?.rows ?? 0;
    });
  }

  /** In the order of `seq`. */
  *rows(window: LogWindow): Iterable<StoredEvent> {
    let afterSeq = 0;
    for (;;) {
      const page = this.#read(() => {
        this.#refuseArchived(holding(Math.max(window.fromSeq, afterSeq + 1)));
        return this.#page(window, afterSeq);
      });
      for (const { lastRepeatedAtMs, ...row } of page) yield { ...logEntryOf(row), payload: row.payload, lastRepeatedAtMs };
      if (page.length < PAGE_ROWS) return;
      afterSeq = page.at(-1)?.seq ?? afterSeq;
    }
  }

  /** The desired peers and the statuses before the row `seq` was appended. */
  stateBefore(seq: number): Projections {
    return this.#read(() => {
      this.#refuseArchived(holding(seq));
      return replayTables(this.#rows, seq);
    });
  }

  /**
   * The peers as they were after the row at `place`; with a time, the row in force then (past/moment.ts). Throws usage if the log
   * begins later, or ends before that row.
   */
  asOf(place: LogPlace): AsOf {
    return this.#read(() => {
      const moment = this.#moment(place);
      return { ...moment, peers: peersAsOf(this.#database, moment.seq) };
    });
  }

  /** As asOf, of one peer, with its newest `limit` rows up to then, newest first. */
  peerAsOf(place: LogPlace, peerId: PeerId, limit: number): PeerPast {
    return this.#read(() => {
      const moment = this.#moment(place);
      const peer = peerAsOf(this.#database, moment.seq, peerId);
      return { ...moment, peer, history: historyUntil(this.#database, peerId, moment.seq, limit) };
    });
  }

  /**
   * Decodes the log's messages again. Returns what other settings would change, and how many messages were decoded, or kept because
   * the log holds only a part of them. An archived message keeps its meaning, as does the row by which `reinterpret` changed it.
   */
  reinterpret(settings: EventSettings, onProgress: (rows: number, total: number) => void): ReinterpretReport {
    const {
      seq: archivedUntil,
      restated,
      archived,
      lastSeq,
    } = this.#read(() => {
      const { seq, projections } = this.#rows.replayStart();
      const lastSeq = this.#rows.head()?.seq ?? 0;
      return { seq, restated: restatedRows(this.#orm, seq), archived: projections.desired.values(), lastSeq };
    });
    const archivedPeerOf = this.#rows.archivedPeerOfResource;
    const reinterpretation = new Reinterpretation(settings, { archived, archivedPeerOf, restated });
    for (const read of readRows(this.#database, archivedUntil, lastSeq)) {
      if (read.kind === "unreadable") throw new PartnerdError("database_failed", sentenceOf(unreadableRows(read)), UNSOUND);
      reinterpretation.take(read.row);
      onProgress(read.row.seq - archivedUntil, lastSeq - archivedUntil);
    }
    // Rows may have been archived, and deleted, in the meantime.
    if (this.#read(() => this.#archivedUntil()) !== archivedUntil) return this.reinterpret(settings, onProgress);
    const { decoded, kept } = reinterpretation;
    return { changes: reinterpretation.changes(), decoded, kept };
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #read<Result>(work: () => Result): Result {
    try {
      return this.#database.transaction(work)();
    } catch (thrown) {
      throw storeFailure(`cannot read ${this.#file}`, thrown);
    }
  }

  #page(window: LogWindow, afterSeq: number) {
    return this.#orm
      .select({ ...getTableColumns(eventLog), lastRepeatedAtMs: repeatedFailures.lastAtMs })
      .from(eventLog)
      .leftJoin(repeatedFailures, eq(repeatedFailures.firstSeq, eventLog.seq))
      .where(and(within(window), gt(eventLog.seq, afterSeq)))
      .orderBy(asc(eventLog.seq))
      .limit(PAGE_ROWS)
      .all();
  }

  #moment(place: LogPlace): Moment {
    const head = this.#rows.head() ?? NO_ROWS;
    const newest = this.#rows.newestAnchor();
    if ("atMs" in place) {
      const { atMs } = place;
      const seq = seqAt(this.#database, atMs) ?? (newest !== undefined && newest.lastAtMs <= atMs ? newest.lastSeq : undefined);
      if (seq !== undefined) return { seq, atMs };
      this.#refuseArchived((anchors) => anchors.findLast(({ firstAtMs }) => firstAtMs <= atMs), newest?.lastSeq);
      throw this.#beyond(`begins after ${isoTime(atMs)}`);
    }
    const { seq } = place;
    if (newest?.lastSeq === seq) return { seq, atMs: newest.lastAtMs };
    this.#refuseArchived(holding(seq), newest?.lastSeq);
    const row = this.#orm.select({ atMs: eventLog.atMs }).from(eventLog).where(eq(eventLog.seq, seq)).get();
    if (row === undefined) throw this.#beyond(head.seq === 0 ? "is empty" : `ends at seq ${head.seq}, before seq ${seq}`);
    return { seq, atMs: row.atMs };
  }

  #beyond(problem: string): PartnerdError {
    return new PartnerdError("usage", `the log ${problem}`, {
      nextStep: `choose a seq or a time within the log, ${this.#extent()}`,
    });
  }

  #extent(): string {
    const { seq, atMs } = this.#rows.head() ?? NO_ROWS;
    if (atMs === null) return "once it has rows";
    const firstSeq = this.#rows.newestAnchor()?.lastSeq ?? 1;
    return firstSeq === 1 ? `seq 1 to ${seq}` : `seq ${firstSeq} to ${seq}; earlier rows are in archives`;
  }

  #archivedUntil(): number {
    return this.#rows.newestAnchor()?.lastSeq ?? 0;
  }

  #seqOf(which: SQL<number | null>, where: SQL): number | undefined {
    const isInLog = gt(eventLog.seq, this.#archivedUntil());
    return this.#orm.select({ seq: which }).from(eventLog).where(and(isInLog, where)).get()?.seq ?? undefined;
  }

  /** Throws if the requested rows are, or begin, in an archive. `firstUsable` is the first seq that can be asked for. */
  #refuseArchived(find: FindAnchor, firstUsable = this.#archivedUntil() + 1): void {
    const anchors = this.#rows.anchors();
    const anchor = find(anchors);
    if (anchor === undefined) return;
    const { firstSeq, lastSeq, directory, file } = anchor;
    throw new PartnerdError("events_archived", `seq ${firstSeq} to ${lastSeq} are in the archive ${join(directory, file)}`, {
      nextStep: `begin with seq ${firstUsable} or later, or rebuild a database of all rows with \`oc-partnerd unarchive --to DB\``,
    });
  }
}

type FindAnchor = (anchors: readonly Anchor[]) => Anchor | undefined;

const holding =
  (seq: number): FindAnchor =>
  (anchors) =>
    anchors.find(({ lastSeq }) => seq <= lastSeq);

function within({ fromSeq, toSeq, peerIds }: LogWindow): SQL | undefined {
  const isOfPeers = or(inArray(eventLog.peerId, [...peerIds]), inArray(eventLog.supersededPeerId, [...peerIds]));
  return and(between(eventLog.seq, fromSeq, toSeq), peerIds.length === 0 ? undefined : isOfPeers);
}
