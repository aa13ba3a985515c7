/** The prepared statements over the log itself. */
import type { Database } from "better-sqlite3";
import { and, desc, getTableColumns, gt, isNotNull, lt, sql } from "drizzle-orm";
import { unionAll } from "drizzle-orm/sqlite-core";
import type { PeerId, ResourceId } from "../../../base/ids.ts";
import { CHAIN_START } from "../../model/chain.ts";
import { type LogEntry, logEntryOf, type ReplayedRow } from "../../model/log-entry.ts";
import type { LogHead } from "../../model/log-head.ts";
import { eventLog } from "../../schema/log.ts";
import type { ArchiveRows } from "./archive-rows.ts";
import { equals, inserter, orm, prepareAll, reader } from "./statement.ts";

const { payload: _payload, payloadEncoding: _payloadEncoding, ...columnsOfEntries } = getTableColumns(eventLog);
const {
  source: _source,
  subject: _subject,
  dedupeKey: _dedupeKey,
  payloadBytes: _bytes,
  payloadSha256: _sha256,
  chainHash: _chainHash,
  ...replayedColumns
} = columnsOfEntries;
const head = { seq: eventLog.seq, atMs: eventLog.atMs, chainHash: eventLog.chainHash };
const seq = { seq: eventLog.seq };
const peerId = { peerId: eventLog.peerId };

/** What a LogEntry is made of. */
export const loggedColumns = columnsOfEntries;

function eventsOf(column: typeof eventLog.peerId | typeof eventLog.supersededPeerId) {
  const isOnPage = [gt(eventLog.seq, sql.placeholder("afterSeq")), lt(eventLog.seq, sql.placeholder("beforeSeq"))];
  return orm
    .select(loggedColumns)
    .from(eventLog)
    .where(and(equals(column, "peerId"), ...isOnPage));
}

const statements = {
  insertEvent: inserter(eventLog),
  newest: reader(orm.select(head).from(eventLog).orderBy(desc(eventLog.seq)), head),
  byDedupeKey: reader(orm.select(seq).from(eventLog).where(equals(eventLog.dedupeKey, "dedupeKey")), seq),
  history: reader(
    unionAll(eventsOf(eventLog.peerId), eventsOf(eventLog.supersededPeerId))
      .orderBy(sql`seq desc`)
      .limit(sql.placeholder("limit")),
    loggedColumns,
  ),
  lastPeerByResource: reader(
    orm
      .select(peerId)
      .from(eventLog)
      .where(and(equals(eventLog.resourceId, "resourceId"), isNotNull(eventLog.peerId)))
      .orderBy(desc(eventLog.seq)),
    peerId,
  ),
};

// Past drizzle, which takes longer over a row than SQLite and the fold together; its columns need no conversion.
const REPLAYED = `select ${named(replayedColumns)} from event_log where seq > ? and seq < ? order by seq`;

export function eventRows(database: Database, archived: ArchiveRows) {
  const { insertEvent, newest, byDedupeKey, history, lastPeerByResource } = prepareAll(statements, database);
  const replayed = database.prepare<[number, number], ReplayedRow>(REPLAYED);

  return {
    insertEvent,
    /** A row that somebody added by hand has no hash: the chain starts anew behind it, and a check names it. */
    head: (): LogHead | undefined => {
      const row = newest.get();
      return row && { ...row, chainHash: row.chainHash ?? CHAIN_START };
    },
    /** Whether this message, which came with this sequence in its stream, is in the log, or was. */
    holds: (dedupeKey: string, streamSequence: number | null): boolean =>
      byDedupeKey.get({ dedupeKey }) !== undefined || archived.heldMessage(dedupeKey, streamSequence),
    /** Newest first; behind the last row of the log one for each archive that holds more. */
    history: (peerId: PeerId, limit: number, beforeSeq: number): LogEntry[] => {
      const afterSeq = archived.newestAnchor()?.lastSeq ?? 0;
      const inLog = history.all({ peerId, limit, beforeSeq, afterSeq });
      const more = afterSeq === 0 || inLog.length >= limit ? [] : archived.archivedHistory(peerId, beforeSeq);
      return [...inLog, ...more.slice(0, limit - inLog.length)].map(logEntryOf);
    },
    /** From behind a row on, read as it is asked for. Nothing may be written meanwhile. */
    log: (afterSeq: number, beforeSeq = Number.MAX_SAFE_INTEGER): Iterable<ReplayedRow> => replayed.iterate(afterSeq, beforeSeq),
    /** The log's answer: a resource that its peer has since lost to another id still names that peer. */
    lastPeerOfResource: (resourceId: ResourceId): PeerId | undefined =>
      lastPeerByResource.get({ resourceId })?.peerId ?? archived.archivedPeerOfResource(resourceId),
  };
}

/** A select list that names each column as its property. */
function named(columns: Readonly<Record<string, { readonly name: string }>>): string {
  return Object.entries(columns)
    .map(([property, { name }]) => `${name} as ${property}`)
    .join(", ");
}
