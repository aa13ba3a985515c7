/** Prepared statements over the projections and the counts of repeated failures. */
import type { Database } from "better-sqlite3";
import { asc, getTableColumns } from "drizzle-orm";
import type { PeerId } from "../../../base/ids.ts";
import type { DesiredPeer } from "../../../events/types.ts";
import type { StatusChange } from "../../fold/project.ts";
import type { PeerStatus } from "../../fold/status.ts";
import { statusOf, statusRowOf } from "../../fold/status.ts";
import { type Repetition, repetitionChecksum } from "../../model/repetition.ts";
import { desiredPeer, openStream, peerStatusRow, repeatedFailures } from "../../schema/log.ts";
import { equals, inserter, orm, prepareAll, reader, upserter } from "./statement.ts";

const statements = {
  desiredPeers: reader(orm.select().from(desiredPeer).orderBy(asc(desiredPeer.peerId)), getTableColumns(desiredPeer)),
  upsertDesired: upserter(desiredPeer, desiredPeer.peerId),

  statusByPeer: reader(
    orm.select().from(peerStatusRow).where(equals(peerStatusRow.peerId, "peerId")),
    getTableColumns(peerStatusRow),
  ),
  statusRows: reader(orm.select().from(peerStatusRow).orderBy(asc(peerStatusRow.peerId)), getTableColumns(peerStatusRow)),
  upsertStatusRow: upserter(peerStatusRow, peerStatusRow.peerId),
  streamsByPeer: reader(
    orm.select().from(openStream).where(equals(openStream.peerId, "peerId")).orderBy(asc(openStream.seq)),
    getTableColumns(openStream),
  ),
  openStreams: reader(orm.select().from(openStream).orderBy(asc(openStream.seq)), getTableColumns(openStream)),
  insertStream: inserter(openStream),

  repetition: reader(
    orm.select().from(repeatedFailures).where(equals(repeatedFailures.firstSeq, "firstSeq")),
    getTableColumns(repeatedFailures),
  ),
  upsertRepetition: upserter(repeatedFailures, repeatedFailures.firstSeq),
};

export function projectionRows(database: Database) {
  const prepared = prepareAll(statements, database);
  const { upsertDesired, upsertStatusRow, insertStream, upsertRepetition } = prepared;

  const deleteStreams = database.prepare<[PeerId]>("delete from open_stream where peer_id = ?");

  return {
    desiredPeers: (): DesiredPeer[] => prepared.desiredPeers.all(),
    upsertDesired,
    statuses: (): PeerStatus[] => {
      const streams = Map.groupBy(prepared.openStreams.all(), ({ peerId }) => peerId);
      return prepared.statusRows.all().map((row) => statusOf(row, streams.get(row.peerId) ?? []));
    },
    upsertStatus: ({ before, after }: StatusChange): void => {
      upsertStatusRow(statusRowOf(after));
      // A fold that leaves the streams unchanged returns the same array.
      if (before?.openStreams === after.openStreams) return;
      deleteStreams.run(after.peerId);
      for (const stream of after.openStreams) insertStream({ ...stream, peerId: after.peerId });
    },
    openStreams: () => prepared.openStreams.all(),
    addRepetition: ({ firstSeq, count, lastAtMs }: Repetition): void => {
      const row = { firstSeq, count: count + (prepared.repetition.get({ firstSeq })?.count ?? 0), lastAtMs };
      upsertRepetition({ ...row, checksum: repetitionChecksum(row) });
    },
    status: (peerId: PeerId): PeerStatus | undefined => {
      const row = prepared.statusByPeer.get({ peerId });
      return row && statusOf(row, prepared.streamsByPeer.all({ peerId }));
    },
  };
}
