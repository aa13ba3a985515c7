/** The desired peers while the log is decoded again, and which peer each resource id last named. */
import type { PeerId, ResourceId } from "../../base/ids.ts";
import { type DesiredLookup, foldDesired } from "../../events/fold.ts";
import type { DesiredEvent, DesiredPeer } from "../../events/types.ts";

export class RedecodedState implements DesiredLookup {
  readonly #peers = new Map<PeerId, DesiredPeer>();
  readonly #holders = new Map<ResourceId, PeerId>();
  /** Also after its peer has lost the resource id. */
  readonly #lastPeers: Map<ResourceId, PeerId>;
  readonly #earlierPeerOf: (resourceId: ResourceId) => PeerId | undefined;

  /** `earlierPeerOf`: as `lastPeerOf`, for a resource id that no event has named since. */
  constructor(
    peers: Iterable<DesiredPeer>,
    earlierPeerOf: (resourceId: ResourceId) => PeerId | undefined,
    lastPeers: Iterable<[ResourceId, PeerId]> = [],
  ) {
    this.#earlierPeerOf = earlierPeerOf;
    this.#lastPeers = new Map(lastPeers);
    for (const peer of peers) this.#set(peer);
  }

  copy(): RedecodedState {
    return new RedecodedState(this.#peers.values(), this.#earlierPeerOf, this.#lastPeers);
  }

  peer(peerId: PeerId): DesiredPeer | undefined {
    return this.#peers.get(peerId);
  }

  peerOfResource(resourceId: ResourceId): PeerId | undefined {
    return this.#holders.get(resourceId);
  }

  lastPeerOf(resourceId: ResourceId): PeerId | undefined {
    return this.#lastPeers.get(resourceId) ?? this.#earlierPeerOf(resourceId);
  }

  peers(): Iterable<DesiredPeer> {
    return this.#peers.values();
  }

  fold(event: DesiredEvent | undefined, at: { seq: number; atMs: number }): void {
    if (event === undefined) return;
    for (const peer of foldDesired(this, event, at).peers) this.#set(peer);
    if (event.resourceId !== null) this.#lastPeers.set(event.resourceId, event.peerId);
  }

  #set(peer: DesiredPeer): void {
    const { peerId, resourceId } = peer;
    const lost = this.#peers.get(peerId)?.resourceId ?? null;
    if (lost !== null && this.#holders.get(lost) === peerId) this.#holders.delete(lost);
    if (resourceId !== null) this.#holders.set(resourceId, peerId);
    this.#peers.set(peerId, peer);
  }
}
