/** The projections, folded from the log from zero, and how the tables differ from them. */
import { isDeepStrictEqual } from "node:util";
import type { DesiredPeer } from "../events/types.ts";
import type { PeerId, ResourceId } from "../ids.ts";
import { eventOf, type ReplayedRow } from "./logged.ts";
import { type ProjectionLookup, project } from "./project.ts";
import type { PeerStatus } from "./status.ts";

export interface Projections {
  readonly desired: ReadonlyMap<PeerId, DesiredPeer>;
  readonly status: ReadonlyMap<PeerId, PeerStatus>;
}

/** `faults` names each row of the log that does not follow from those before it. */
export function replay(log: Iterable<ReplayedRow>): Projections & { readonly faults: readonly string[] } {
  const state = emptyState();
  const faults: string[] = [];
  let lastSeq = 0;
  for (const row of log) {
    if (row.seq !== lastSeq + 1) faults.push(`event_log: seq ${row.seq} follows ${lastSeq}`);
    lastSeq = row.seq;
    const { effect, supersededPeerId, desired, statuses } = project(state, eventOf(row), row);
    if (effect !== row.effect || supersededPeerId !== row.supersededPeerId) {
      faults.push(...differences(`event_log ${row.seq}`, row, { effect, supersededPeerId }));
    }
    for (const peer of desired) state.setDesired(peer);
    for (const { after } of statuses) state.statuses.set(after.peerId, after);
  }
  return { desired: state.desired, status: state.statuses, faults };
}

/** One sentence for each field of a row that is not what the replay gives; empty when all are. */
export function tableDifferences<Row extends object>(
  table: string,
  found: ReadonlyMap<PeerId, Row>,
  replayed: ReadonlyMap<PeerId, Row>,
): string[] {
  const peerIds = [...new Set([...found.keys(), ...replayed.keys()])];
  return peerIds.flatMap((peerId) => {
    const [row, expected] = [found.get(peerId), replayed.get(peerId)];
    if (expected === undefined) return [`${table} ${peerId}: the replay has no such row`];
    return row === undefined ? [`${table} ${peerId}: the row is missing`] : differences(`${table} ${peerId}`, row, expected);
  });
}

function differences<Row extends object>(where: string, found: Row, replayed: Partial<Row>): string[] {
  const fields = new Map<string, unknown>(Object.entries(found));
  return Object.entries(replayed)
    .filter(([field, value]) => !isDeepStrictEqual(fields.get(field), value))
    .map(
      ([field, value]) => `${where}: ${field} is ${JSON.stringify(fields.get(field))}, the replay gives ${JSON.stringify(value)}`,
    );
}

function emptyState() {
  const desired = new Map<PeerId, DesiredPeer>();
  const statuses = new Map<PeerId, PeerStatus>();
  const peerOfResource = new Map<ResourceId, PeerId>();
  return {
    desired,
    statuses,
    peer: (peerId: PeerId) => desired.get(peerId),
    status: (peerId: PeerId) => statuses.get(peerId),
    peerOfResource: (resourceId: ResourceId) => peerOfResource.get(resourceId),
    setDesired(peer: DesiredPeer) {
      const lostResource = desired.get(peer.peerId)?.resourceId ?? null;
      if (lostResource !== null) peerOfResource.delete(lostResource);
      if (peer.resourceId !== null) peerOfResource.set(peer.resourceId, peer.peerId);
      desired.set(peer.peerId, peer);
    },
  } satisfies ProjectionLookup & Record<string, unknown>;
}
