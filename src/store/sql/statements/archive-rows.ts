/** The prepared statements over what was archived: the anchors, and what is left of the rows behind them. */

import type { Database } from "better-sqlite3";
import { and, asc, desc, eq, getTableColumns, lt, sql } from "drizzle-orm";
import { messageOf, PartnerdError } from "../../../base/errors.ts";
import type { PeerId, ResourceId } from "../../../base/ids.ts";
import { counted } from "../../../base/units.ts";
import { type ArchivedState, projectionsOf, unpackState } from "../../fold/archived-state.ts";
import { FROM_ZERO, type ReplayStart } from "../../fold/replay.ts";
import type { Anchor } from "../../model/anchor.ts";
import { type DedupeKeyParts, dedupeKeyParts } from "../../model/dedupe-key.ts";
import { type LogEntryRow, NO_COLUMNS, OWN_SOURCE } from "../../model/log-entry.ts";
import { archiveAnchor, archivedDelivery, archivedPeer, archivedResource } from "../../schema/archive.ts";
import { equals, orm, prepareAll, reader } from "./statement.ts";

const { state: _state, ...anchorColumns } = getTableColumns(archiveAnchor);
const packed = {
  state: archiveAnchor.state,
  packedSha256: archiveAnchor.packedSha256,
  stateSha256: archiveAnchor.stateSha256,
};
const inArchive = {
  seq: archivedPeer.lastSeq,
  events: archivedPeer.events,
  atMs: archiveAnchor.lastAtMs,
  file: archiveAnchor.file,
  chainHash: archiveAnchor.lastChainHash,
};
const lastPeer = { peerId: archivedResource.peerId };

const statements = {
  newest: reader(orm.select(anchorColumns).from(archiveAnchor).orderBy(desc(archiveAnchor.lastSeq)), anchorColumns),
  anchors: reader(orm.select(anchorColumns).from(archiveAnchor).orderBy(asc(archiveAnchor.lastSeq)), anchorColumns),
  packedState: reader(orm.select(packed).from(archiveAnchor).where(equals(archiveAnchor.lastSeq, "lastSeq")), packed),
  lastPeer: reader(
    orm
      .select(lastPeer)
      .from(archivedResource)
      .where(equals(archivedResource.resourceId, "resourceId"))
      .orderBy(desc(archivedResource.lastSeq)),
    lastPeer,
  ),
  history: reader(
    orm
      .select(inArchive)
      .from(archivedPeer)
      .innerJoin(archiveAnchor, eq(archiveAnchor.lastSeq, archivedPeer.lastSeq))
      .where(and(equals(archivedPeer.peerId, "peerId"), lt(archivedPeer.lastSeq, sql.placeholder("beforeSeq"))))
      .orderBy(desc(archivedPeer.lastSeq)),
    inArchive,
  ),
  deliveries: reader(orm.select().from(archivedDelivery).orderBy(asc(archivedDelivery.seq)), getTableColumns(archivedDelivery)),
};

export type ArchiveRows = ReturnType<typeof archiveRows>;

export function archiveRows(database: Database) {
  const { newest, anchors, packedState, lastPeer, history, deliveries } = prepareAll(statements, database);
  const archivedMessage = database
    .prepare<DedupeKeyParts, number>(
      `select 1 from archived_message
      where stream_id = (select id from archived_stream where created = :created)
        and stream_sequence = :streamSequence and message_hash = :messageHash`,
    )
    .pluck();

  const newestAnchor = (): Anchor | undefined => newest.get();
  /** Throws `database_failed` where the anchor's state is not what its hash says. */
  const archivedState = ({ lastSeq }: Pick<Anchor, "lastSeq">): ArchivedState => {
    const row = packedState.get({ lastSeq });
    if (row === undefined) throw new PartnerdError("database_failed", `there is no archive_anchor ${lastSeq}`);
    try {
      return unpackState(row);
    } catch (thrown) {
      throw new PartnerdError("database_failed", `archive_anchor ${lastSeq}: its state is damaged: ${messageOf(thrown)}`, {
        nextStep: "look at the log with `oc-partnerd check`, then restore it from a backup",
        cause: thrown,
      });
    }
  };

  return {
    newestAnchor,
    /** Oldest first. */
    anchors: (): readonly Anchor[] => anchors.all(),
    archivedState,
    /** Behind what `anchor` replaces, or at the log's first row where there is none. Throws as archivedState does. */
    startBehind: (anchor: Anchor | undefined): ReplayStart =>
      anchor === undefined
        ? FROM_ZERO
        : { seq: anchor.lastSeq, chainHash: anchor.lastChainHash, projections: projectionsOf(archivedState(anchor)) },
    /** Whether a row with this key, which came with this sequence, was archived and deleted. */
    heldMessage: (dedupeKey: string, streamSequence: number | null) =>
      archivedMessage.get(dedupeKeyParts(dedupeKey, streamSequence)) !== undefined,
    archivedPeerOfResource: (resourceId: ResourceId): PeerId | undefined => lastPeer.get({ resourceId })?.peerId,
    /** In the place of a peer's archived rows, newest first: a LogArchived for each file, which says how many of them it holds. */
    archivedHistory: (peerId: PeerId, beforeSeq: number): readonly LogEntryRow[] =>
      history.all({ peerId, beforeSeq }).map(({ events, file, ...place }) => {
        const message = `${counted(events, "earlier event")} ${events === 1 ? "is" : "are"} in ${file}`;
        return { ...NO_COLUMNS, type: "LogArchived", ...place, message };
      }),
    /** The rows about delivery that were archived, oldest first. */
    archivedDeliveries: (): readonly LogEntryRow[] =>
      deliveries.all().map((row) => ({ ...NO_COLUMNS, source: OWN_SOURCE, ...row })),
  };
}
