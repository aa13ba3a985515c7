import type { PeerId, ResourceId } from "../../src/base/ids.ts";
import { type Folded, foldDesired } from "../../src/events/fold.ts";
import type { DesiredEvent, DesiredPeer } from "../../src/events/types.ts";

/** Desired state in memory: each folded event gets the next seq, and seq x 1000 ms as its time. */
export class DesiredState {
  readonly peers = new Map<PeerId, DesiredPeer>();
  seq = 0;

  apply(event: DesiredEvent): Folded {
    this.seq += 1;
    const lookup = { peer: (peerId: PeerId) => this.peers.get(peerId), peerOfResource: this.peerOfResource };
    const folded = foldDesired(lookup, event, { seq: this.seq, atMs: this.seq * 1000 });
    for (const peer of folded.peers) this.peers.set(peer.peerId, peer);
    return folded;
  }

  readonly peerOfResource = (resourceId: ResourceId): PeerId | undefined =>
    [...this.peers.values()].find((peer) => peer.resourceId === resourceId)?.peerId;
}
