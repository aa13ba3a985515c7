/** Prepared statements over the archives: the anchors, and what remains of their rows. */

import type { Database } from "better-sqlite3";
import { and, asc, desc, eq, getTableColumns, lt, sql } from "drizzle-orm";
import { messageOf, PartnerdError } from "../../../base/errors.ts";
import type { PeerId, ResourceId } from "../../../base/ids.ts";
import { type ArchivedState, type Replacement, type RunRow, stateBehind, unpackState } from "../../fold/archived-state.ts";
import { FROM_ZERO, type ReplayStart } from "../../fold/replay.ts";
import type { RunRecord } from "../../fold/run-record.ts";
import { type Anchor, archiveFactsOf } from "../../model/anchor.ts";
import { type DedupeKeyParts, dedupeKeyParts } from "../../model/dedupe-key.ts";
import { detailsJson } from "../../model/details.ts";
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
  /** Throws `database_failed` if the anchor's state does not match its hash. */
  const archivedState = ({ lastSeq }: Pick<Anchor, "lastSeq">): ArchivedState => {
    const row = packedState.get({ lastSeq });
    if (row === undefined) throw new PartnerdError("database_failed", `there is no archive_anchor ${lastSeq}`);
    try {
      return unpackState(row);
    } catch (thrown) {
      throw new PartnerdError("database_failed", `the state of archive_anchor ${lastSeq} is damaged: ${messageOf(thrown)}`, {
        nextStep: "run `oc-partnerd check` for details, then replace the log with a backup: `oc-partnerd restore --from FILE`",
        cause: thrown,
      });
    }
  };

  return {
    newestAnchor,
    /** Oldest first. */
    anchors: (): readonly Anchor[] => anchors.all(),
    archivedState,
    /** After the rows that `anchor` replaces, or at the log's first row if it is undefined. Throws as archivedState does. */
    startBehind: (anchor: Anchor | undefined): ReplayStart =>
      anchor === undefined
        ? FROM_ZERO
        : { seq: anchor.lastSeq, chainHash: anchor.lastChainHash, ...stateBehind(archivedState(anchor)) },
    /** True if a row with this key and stream sequence was archived and deleted. */
    heldMessage: (dedupeKey: string, streamSequence: number | null) =>
      archivedMessage.get(dedupeKeyParts(dedupeKey, streamSequence)) !== undefined,
    archivedPeerOfResource: (resourceId: ResourceId): PeerId | undefined => lastPeer.get({ resourceId })?.peerId,
    /** Represents a peer's archived rows, newest first: a LogArchived per file, with the number of the peer's events in it. */
    archivedHistory: (peerId: PeerId, beforeSeq: number): readonly LogEntryRow[] => {
      const bySeq = new Map(anchors.all().map((anchor) => [anchor.lastSeq, anchor]));
      return history.all({ peerId, beforeSeq }).flatMap(({ seq, events }) => {
        const anchor = bySeq.get(seq);
        if (anchor === undefined) return [];
        const details = detailsJson({ ...archiveFactsOf(anchor), events });
        return [{ ...NO_COLUMNS, type: "LogArchived", seq, atMs: anchor.lastAtMs, details }];
      });
    },
    /** The newest run up to the newest archive; null if there is none. */
    lastArchivedRun: (): RunRecord | null => {
      const anchor = newestAnchor();
      return anchor === undefined ? null : archivedState(anchor).lastRun;
    },
    /** Of all archives, oldest first. Throws as archivedState does. */
    archivedReplacements: (): readonly Replacement[] =>
      anchors.all().flatMap((anchor) => archivedState(anchor).replacements ?? []),
    /** The starts of runs in all archives, oldest first, and the clones that were seen. Throws as archivedState does. */
    archivedRuns: (): { readonly runs: readonly RunRow[]; readonly clones: readonly RunRow[] } => {
      const states = anchors.all().map(archivedState);
      return { runs: states.flatMap(({ runs }) => runs ?? []), clones: states.flatMap(({ clones }) => clones ?? []) };
    },
    /** The archived rows about delivery, oldest first. */
    archivedDeliveries: (): readonly LogEntryRow[] =>
      deliveries.all().map((row) => ({ ...NO_COLUMNS, source: OWN_SOURCE, ...row })),
  };
}
