/** The desired state as a fold over the log. Live ingest and replay run this same function, so that replay gives the projections exactly. */
import type { PeerId, ResourceId } from "../base/ids.ts";
import type { DesiredEvent, DesiredPeer, Effect, PeerDesired } from "./types.ts";

/** What the fold has to know of the state so far. */
export interface DesiredLookup {
  peer(peerId: PeerId): DesiredPeer | undefined;
  /** The peer that this resource last meant. */
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

/** What an event leaves unsaid (a revocation rarely names the address) stays as it was known. */
function desired(
  before: DesiredPeer | undefined,
  event: Omit<PeerDesired, "type">,
  at: { seq: number; atMs: number },
): DesiredPeer {
  const address = event.address ?? before?.address ?? null;
  const outdatesWork = before === undefined || before.standing !== event.standing || before.address !== address;
  return {
    peerId: event.peerId,
    resourceId: event.resourceId ?? before?.resourceId ?? null,
    did: event.did ?? before?.did ?? null,
    name: event.name ?? before?.name ?? null,
    relation: event.relation,
    standing: event.standing,
    address,
    desiredSeq: at.seq,
    generation: outdatesWork ? at.seq : before.generation,
    sinceMs: outdatesWork ? at.atMs : before.sinceMs,
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
