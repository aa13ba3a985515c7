/** The prepared statements over the tables, with rows as the program's own types. Each runs within its caller's transaction. */

import type { Database } from "better-sqlite3";
import { and, asc, desc, eq, getTableColumns, gt, isNotNull, lt, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/better-sqlite3";
import { unionAll } from "drizzle-orm/sqlite-core";
import type { PeerId, ResourceId } from "../../base/ids.ts";
import type { DesiredPeer } from "../../events/types.ts";
import { projectionsOf } from "../fold/archived-state.ts";
import type { ProjectionLookup, StatusChange } from "../fold/project.ts";
import { FROM_ZERO, type ReplayStart } from "../fold/replay.ts";
import type { PeerStatus } from "../fold/status.ts";
import { statusOf, statusRowOf } from "../fold/status-row.ts";
import { CHAIN_START } from "../model/chain.ts";
import { logEntryOf, type ReplayedRow } from "../model/log-entry.ts";
import { type Repetition, repetitionChecksum } from "../model/repetition.ts";
import { desiredPeer, eventLog, openStream, peerStatusRow, repeatedFailures } from "../schema/log.ts";
import { archiveRows } from "./archive-rows.ts";
import { deliveryRows } from "./delivery-rows.ts";
import { excluded, placeholders, reader, writer } from "./statement.ts";

const orm = drizzle.mock();

const { payload: _payload, payloadEncoding: _payloadEncoding, ...loggedColumns } = getTableColumns(eventLog);
const {
  source: _source,
  subject: _subject,
  dedupeKey: _dedupeKey,
  payloadBytes: _bytes,
  payloadSha256: _sha256,
  chainHash: _chainHash,
  ...replayedColumns
} = loggedColumns;
const place = { seq: eventLog.seq, atMs: eventLog.atMs };
const head = { ...place, chainHash: eventLog.chainHash };
const desiredPeerId = { peerId: desiredPeer.peerId };
const loggedPeerId = { peerId: eventLog.peerId };

function eventsOf(column: typeof eventLog.peerId | typeof eventLog.supersededPeerId) {
  return orm
    .select(loggedColumns)
    .from(eventLog)
    .where(
      and(
        eq(column, sql.placeholder("peerId")),
        gt(eventLog.seq, sql.placeholder("afterSeq")),
        lt(eventLog.seq, sql.placeholder("beforeSeq")),
      ),
    );
}

const prepare = {
  insertEvent: writer<typeof eventLog.$inferInsert>(orm.insert(eventLog).values(placeholders(eventLog))),
  newestEvent: reader(orm.select(head).from(eventLog).orderBy(desc(eventLog.seq)), head),
  eventByDedupeKey: reader(
    orm
      .select(place)
      .from(eventLog)
      .where(eq(eventLog.dedupeKey, sql.placeholder("dedupeKey"))),
    place,
  ),
  history: reader(
    unionAll(eventsOf(eventLog.peerId), eventsOf(eventLog.supersededPeerId))
      .orderBy(sql`seq desc`)
      .limit(sql.placeholder("limit")),
    loggedColumns,
  ),
  lastPeerByResource: reader(
    orm
      .select(loggedPeerId)
      .from(eventLog)
      .where(and(eq(eventLog.resourceId, sql.placeholder("resourceId")), isNotNull(eventLog.peerId)))
      .orderBy(desc(eventLog.seq)),
    loggedPeerId,
  ),

  desiredByPeer: reader(
    orm
      .select()
      .from(desiredPeer)
      .where(eq(desiredPeer.peerId, sql.placeholder("peerId"))),
    getTableColumns(desiredPeer),
  ),
  peerByResource: reader(
    orm
      .select(desiredPeerId)
      .from(desiredPeer)
      .where(eq(desiredPeer.resourceId, sql.placeholder("resourceId"))),
    desiredPeerId,
  ),
  desiredPeers: reader(orm.select().from(desiredPeer).orderBy(asc(desiredPeer.peerId)), getTableColumns(desiredPeer)),
  upsertDesired: writer<DesiredPeer>(
    orm
      .insert(desiredPeer)
      .values(placeholders(desiredPeer))
      .onConflictDoUpdate({ target: desiredPeer.peerId, set: excluded(desiredPeer) }),
  ),

  statusByPeer: reader(
    orm
      .select()
      .from(peerStatusRow)
      .where(eq(peerStatusRow.peerId, sql.placeholder("peerId"))),
    getTableColumns(peerStatusRow),
  ),
  statusRows: reader(orm.select().from(peerStatusRow).orderBy(asc(peerStatusRow.peerId)), getTableColumns(peerStatusRow)),
  upsertStatus: writer<typeof peerStatusRow.$inferInsert>(
    orm
      .insert(peerStatusRow)
      .values(placeholders(peerStatusRow))
      .onConflictDoUpdate({ target: peerStatusRow.peerId, set: excluded(peerStatusRow) }),
  ),
  streamsByPeer: reader(
    orm
      .select()
      .from(openStream)
      .where(eq(openStream.peerId, sql.placeholder("peerId")))
      .orderBy(asc(openStream.seq)),
    getTableColumns(openStream),
  ),
  streamRows: reader(orm.select().from(openStream).orderBy(asc(openStream.seq)), getTableColumns(openStream)),
  deleteStreams: writer<{ peerId: PeerId }>(orm.delete(openStream).where(eq(openStream.peerId, sql.placeholder("peerId")))),
  insertStream: writer<typeof openStream.$inferInsert>(orm.insert(openStream).values(placeholders(openStream))),

  repetition: reader(
    orm
      .select()
      .from(repeatedFailures)
      .where(eq(repeatedFailures.firstSeq, sql.placeholder("firstSeq"))),
    getTableColumns(repeatedFailures),
  ),
  upsertRepetition: writer<typeof repeatedFailures.$inferInsert>(
    orm
      .insert(repeatedFailures)
      .values(placeholders(repeatedFailures))
      .onConflictDoUpdate({ target: repeatedFailures.firstSeq, set: excluded(repeatedFailures) }),
  ),
};

export type Tables = ReturnType<typeof tables>;

export function tables(database: Database) {
  const archived = archiveRows(database);
  const insertEvent = prepare.insertEvent(database);
  const newestEvent = prepare.newestEvent(database);
  const eventByDedupeKey = prepare.eventByDedupeKey(database);
  const history = prepare.history(database);
  // Past drizzle, which takes longer over a row than SQLite and the fold together; its columns need no conversion.
  const log = database.prepare<[number, number], ReplayedRow>(
    `select ${named(replayedColumns)} from event_log where seq > ? and seq < ? order by seq`,
  );
  const lastPeerByResource = prepare.lastPeerByResource(database);
  const desiredByPeer = prepare.desiredByPeer(database);
  const peerByResource = prepare.peerByResource(database);
  const desiredPeers = prepare.desiredPeers(database);
  const upsertDesired = prepare.upsertDesired(database);
  const statusByPeer = prepare.statusByPeer(database);
  const statusRows = prepare.statusRows(database);
  const upsertStatus = prepare.upsertStatus(database);
  const streamsByPeer = prepare.streamsByPeer(database);
  const streamRows = prepare.streamRows(database);
  const deleteStreams = prepare.deleteStreams(database);
  const insertStream = prepare.insertStream(database);
  const repetition = prepare.repetition(database);
  const upsertRepetition = prepare.upsertRepetition(database);

  return {
    ...deliveryRows(database, archived),
    ...archived,
    insertEvent,
    /** A row that somebody added by hand has no hash: the chain starts anew behind it, and a check names it. */
    head: () => {
      const newest = newestEvent.get();
      return newest && { ...newest, chainHash: newest.chainHash ?? CHAIN_START };
    },
    /** Whether this message, which came with this sequence in its stream, is in the log, or was. */
    holds: (dedupeKey: string, streamSequence: number | null) =>
      eventByDedupeKey.get({ dedupeKey }) !== undefined || archived.heldMessage(dedupeKey, streamSequence),
    /** Newest first; behind the last row of the log one for each archive that holds more. */
    history: (peerId: PeerId, limit: number, beforeSeq: number) => {
      const afterSeq = archived.newestAnchor()?.lastSeq ?? 0;
      const inLog = history.all({ peerId, limit, beforeSeq, afterSeq });
      const more = afterSeq === 0 || inLog.length >= limit ? [] : archived.archivedHistory(peerId, beforeSeq);
      return [...inLog, ...more.slice(0, limit - inLog.length)].map(logEntryOf);
    },
    /** From behind a row on, read as it is asked for. Nothing may be written meanwhile. */
    log: (afterSeq: number, beforeSeq = Number.MAX_SAFE_INTEGER): Iterable<ReplayedRow> => log.iterate(afterSeq, beforeSeq),
    /** Where a replay of the log begins: at its first row, or behind what was archived. Throws as archivedState does. */
    replayStart: (): ReplayStart => {
      const anchor = archived.newestAnchor();
      return anchor === undefined
        ? FROM_ZERO
        : { seq: anchor.lastSeq, projections: projectionsOf(archived.archivedState(anchor)) };
    },

    /** The log's answer: a resource that its peer has since lost to another id still names that peer. */
    lastPeerOfResource: (resourceId: ResourceId) =>
      lastPeerByResource.get({ resourceId })?.peerId ?? archived.archivedPeerOfResource(resourceId),

    desiredPeers: (): DesiredPeer[] => desiredPeers.all(),
    upsertDesired,

    statuses: (): PeerStatus[] => {
      const streams = Map.groupBy(streamRows.all(), ({ peerId }) => peerId);
      return statusRows.all().map((row) => statusOf(row, streams.get(row.peerId) ?? []));
    },
    upsertStatus: ({ before, after }: StatusChange) => {
      upsertStatus(statusRowOf(after));
      // A fold that leaves the streams alone hands them on as they are.
      if (before?.openStreams === after.openStreams) return;
      deleteStreams({ peerId: after.peerId });
      for (const stream of after.openStreams) insertStream({ ...stream, peerId: after.peerId });
    },
    openStreams: () => streamRows.all(),
    addRepetition: ({ firstSeq, count, lastAtMs }: Repetition) => {
      const row = { firstSeq, count: count + (repetition.get({ firstSeq })?.count ?? 0), lastAtMs };
      upsertRepetition({ ...row, checksum: repetitionChecksum(row) });
    },

    lookup: {
      peer: (peerId) => desiredByPeer.get({ peerId }),
      peerOfResource: (resourceId: ResourceId) => peerByResource.get({ resourceId })?.peerId,
      status: (peerId) => {
        const row = statusByPeer.get({ peerId });
        return row && statusOf(row, streamsByPeer.all({ peerId }));
      },
    } satisfies ProjectionLookup,
  };
}

/** A select list that names each column as its property. */
function named(columns: Readonly<Record<string, { readonly name: string }>>): string {
  return Object.entries(columns)
    .map(([property, { name }]) => `${name} as ${property}`)
    .join(", ");
}
