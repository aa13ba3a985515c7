import type { PeerId, ResourceId } from "../../src/base/ids.ts";
import { type Folded, foldDesired } from "../../src/events/fold.ts";
import type { DesiredEvent, DesiredPeer } from "../../src/events/types.ts";

/** The desired state in memory: each event folded gets the next seq, and a time of seq x 1000 ms. */
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
