/** Prepared statements over the log itself. */
import type { Database } from "better-sqlite3";
import { and, asc, desc, getTableColumns, gt, inArray, isNotNull, isNull, lt, notInArray, or, sql } from "drizzle-orm";
import { unionAll } from "drizzle-orm/sqlite-core";
import type { PeerId, ResourceId } from "../../../base/ids.ts";
import type { DesiredEvent, LogEvent } from "../../../events/types.ts";
import { foldRun, type RunRecord } from "../../fold/run-record.ts";
import { type LogEntry, logEntryOf, type ReplayedRow } from "../../model/log-entry.ts";
import type { LogHead } from "../../model/log-head.ts";
import { eventLog } from "../../schema/log.ts";
import type { ArchiveRows } from "./archive-rows.ts";
import { equals, inserter, orm, prepareAll, reader } from "./statement.ts";

const { payload: _payload, payloadEncoding: _payloadEncoding, ...columnsOfEntries } = getTableColumns(eventLog);
const {
  source: _source,
  claimedUser: _claimedUser,
  clockSetBackMs: _clockSetBackMs,
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

/** The columns of a LogEntry. */
export const loggedColumns = columnsOfEntries;

/** Rows of types that are not desired events, found by an index. */
export function isOfType(...types: readonly Exclude<LogEvent, DesiredEvent>["type"][]) {
  return and(inArray(eventLog.type, types), isNull(eventLog.effect));
}

function eventsOf(column: typeof eventLog.peerId | typeof eventLog.supersededPeerId) {
  const isOnPage = [gt(eventLog.seq, sql.placeholder("afterSeq")), lt(eventLog.seq, sql.placeholder("beforeSeq"))];
  return orm
    .select(loggedColumns)
    .from(eventLog)
    .where(and(equals(column, "peerId"), ...isOnPage));
}

const statements = {
  insertEvent: inserter(eventLog),
  newestStart: reader(
    orm.select(loggedColumns).from(eventLog).where(isOfType("DaemonStarted")).orderBy(desc(eventLog.seq)),
    loggedColumns,
  ),
  newestIdentityChange: reader(
    orm.select(loggedColumns).from(eventLog).where(isOfType("IdentityChanged")).orderBy(desc(eventLog.seq)),
    loggedColumns,
  ),
  /** Few rows: most starts leave their configuration out. */
  settings: reader(
    orm
      .select(loggedColumns)
      .from(eventLog)
      .where(
        or(
          isOfType("LogReinterpreted"),
          and(isOfType("DaemonStarted"), sql`json_extract(${eventLog.details}, '$.config') is not null`),
        ),
      )
      .orderBy(asc(eventLog.seq)),
    loggedColumns,
  ),
  firstStartAfter: reader(
    orm
      .select(loggedColumns)
      .from(eventLog)
      .where(and(isOfType("DaemonStarted"), gt(eventLog.seq, sql.placeholder("seq"))))
      .orderBy(asc(eventLog.seq)),
    loggedColumns,
  ),
  newestStop: reader(orm.select(seq).from(eventLog).where(isOfType("DaemonStopped")).orderBy(desc(eventLog.seq)), seq),
  newestOfDaemon: reader(
    orm
      .select(head)
      .from(eventLog)
      .where(notInArray(eventLog.type, ["LogArchived", "LogRestored"]))
      .orderBy(desc(eventLog.seq)),
    head,
  ),
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

// Without drizzle, which takes longer per row than SQLite and the fold together. The columns need no conversion.
const REPLAYED = `select ${named(replayedColumns)} from event_log where seq > ? and seq < ? order by seq`;

export function eventRows(database: Database, archived: ArchiveRows) {
  const { insertEvent, newest, newestOfDaemon, byDedupeKey, history, lastPeerByResource, ...runs } = prepareAll(
    statements,
    database,
  );
  const replayed = database.prepare<[number, number], ReplayedRow>(REPLAYED);

  return {
    insertEvent,
    head: (): LogHead | undefined => newest.get(),
    /** The newest row that no archiving or restoring appended, which may be done while the daemon is stopped. */
    newestOfDaemon: (): LogHead | undefined => newestOfDaemon.get(),
    /** The newest run of the daemon; null if the log records none. */
    lastRun: (): RunRecord | null => {
      const before = archived.lastArchivedRun();
      const settings = runs.settings.all();
      // A start that leaves its configuration out changes the record only if it is the newest, or the first after a reinterpretation.
      const reinterpreted = settings.filter(({ type }) => type === "LogReinterpreted");
      const firstStarts = reinterpreted.map(({ seq }) => runs.firstStartAfter.get({ seq }));
      const rows = [...settings, ...firstStarts, runs.newestStart.get(), runs.newestIdentityChange.get()].filter(
        (row) => row !== undefined,
      );
      const entries = rows.sort((one, other) => one.seq - other.seq).map(logEntryOf);
      const started = entries.reduce((record, entry) => foldRun(record, entry), before);
      const stopped = runs.newestStop.get();
      if (started === null || stopped === undefined || stopped.seq < started.startedSeq) return started;
      return { ...started, stoppedSeq: stopped.seq };
    },
    /** True if the message with this key and stream sequence is in the log or an archive. */
    holds: (dedupeKey: string, streamSequence: number | null): boolean =>
      byDedupeKey.get({ dedupeKey }) !== undefined || archived.heldMessage(dedupeKey, streamSequence),
    /** Newest first, then one entry per archive that holds more. */
    history: (peerId: PeerId, limit: number, beforeSeq: number): LogEntry[] => {
      const afterSeq = archived.newestAnchor()?.lastSeq ?? 0;
      const inLog = history.all({ peerId, limit, beforeSeq, afterSeq });
      const more = afterSeq === 0 || inLog.length >= limit ? [] : archived.archivedHistory(peerId, beforeSeq);
      return [...inLog, ...more.slice(0, limit - inLog.length)].map(logEntryOf);
    },
    /** The rows after `afterSeq`, read lazily. Do not write during the iteration. */
    log: (afterSeq: number, beforeSeq = Number.MAX_SAFE_INTEGER): Iterable<ReplayedRow> => replayed.iterate(afterSeq, beforeSeq),
    /** From the log: a resource id that its peer has since exchanged for another one still names that peer. */
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
