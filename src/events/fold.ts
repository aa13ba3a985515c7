/** Folds the log into the desired state. Appending and replaying use the same function, so a replay gives exactly the projections. */
import type { PeerId, ResourceId } from "../base/ids.ts";
import type { DesiredEvent, DesiredPeer, Effect, PeerDesired } from "./types.ts";

/** The state before the event. */
export interface DesiredLookup {
  peer(peerId: PeerId): DesiredPeer | undefined;
  /** The peer that this resource id last named. */
  peerOfResource(resourceId: ResourceId): PeerId | undefined;
}

/** `peers` are the rows that the event creates or replaces, at most two: the peer itself, and one that lost its resource id to it. */
export interface Folded {
  readonly effect: Effect;
  readonly peers: readonly DesiredPeer[];
}

export function foldDesired(lookup: DesiredLookup, event: DesiredEvent, at: { seq: number; atMs: number }): Folded {
  const before = lookup.peer(event.peerId);
  const after = desired(before, event.type === "PeerDesired" ? event : { ...event, ...REMOVED }, at);
  const peers = [...supersededBy(lookup, event, at)];
  if (before === undefined || differs(before, after)) peers.push(after);
  return { effect: peers.length > 0 ? "changed" : "unchanged", peers };
}

const REMOVED = { name: null, relation: "REMOVED", standing: "revoked", address: null } as const;

/** A field that the event omits keeps its known value: a revocation rarely names the address. */
function desired(
  before: DesiredPeer | undefined,
  event: Omit<PeerDesired, "type">,
  at: { seq: number; atMs: number },
): DesiredPeer {
  const address = event.address ?? before?.address ?? null;
  const keepsStanding = before?.standing === event.standing;
  const keepsGeneration = keepsStanding && before.relation === event.relation && before.address === address;
  return {
    peerId: event.peerId,
    resourceId: event.resourceId ?? before?.resourceId ?? null,
    did: event.did ?? before?.did ?? null,
    name: event.name ?? before?.name ?? null,
    relation: event.relation,
    standing: event.standing,
    address,
    desiredSeq: at.seq,
    generation: keepsGeneration ? before.generation : at.seq,
    sinceMs: keepsGeneration ? before.sinceMs : at.atMs,
    standingSeq: keepsStanding ? before.standingSeq : at.seq,
    standingSinceMs: keepsStanding ? before.standingSinceMs : at.atMs,
  };
}

/** The same resource id with a new PeerID: the old PeerID is no longer desired (a blacklisted one stays blacklisted). */
function* supersededBy(lookup: DesiredLookup, event: DesiredEvent, at: { seq: number; atMs: number }): Generator<DesiredPeer> {
  if (event.resourceId === null) return;
  const oldPeerId = lookup.peerOfResource(event.resourceId);
  if (oldPeerId === undefined || oldPeerId === event.peerId) return;
  const old = lookup.peer(oldPeerId);
  if (old === undefined) return;
  yield old.standing === "partner"
    ? {
        ...old,
        resourceId: null,
        relation: "SUPERSEDED",
        standing: "revoked",
        desiredSeq: at.seq,
        generation: at.seq,
        sinceMs: at.atMs,
        standingSeq: at.seq,
        standingSinceMs: at.atMs,
      }
    : { ...old, resourceId: null, desiredSeq: at.seq };
}

function differs(a: DesiredPeer, b: DesiredPeer): boolean {
  return (
    a.standing !== b.standing ||
    a.relation !== b.relation ||
    a.address !== b.address ||
    a.resourceId !== b.resourceId ||
    a.did !== b.did ||
    a.name !== b.name
  );
}
