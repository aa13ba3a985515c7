/** A new generation starts only when an event changes what is desired: it outdates work in flight and resets backoff. */
import type { Address, PeerId } from "../../base/ids.ts";
import type { Standing } from "../../events/types.ts";
import type { Invariant, Scene } from "./invariant.ts";

interface Wish {
  readonly standing: Standing;
  readonly relation: string;
  readonly address: Address | null;
  readonly generation: number;
}

export function generations(scene: Scene): Invariant {
  let wishes = new Map<PeerId, Wish>();
  const touched = new Set<PeerId>();

  return {
    started(daemon) {
      wishes = new Map(daemon.store.list().map((peer) => [peer.peerId, peer]));
      touched.clear();
    },
    logged({ seq, event, supersededPeerId }) {
      if (event.type === "PeerDesired") wished(event.peerId, event.standing, event.relation, event.address, seq);
      if (event.type === "PeerRemoved") wished(event.peerId, "revoked", "REMOVED", null, seq);
      if (supersededPeerId !== null) wished(supersededPeerId, "revoked", "SUPERSEDED", null, seq);
    },
    // The rows of a batch are reported only after all of them are in the log.
    stepped() {
      if (touched.size === 0) return;
      for (const peerId of touched) {
        const [wish, peer] = [wishes.get(peerId), scene.daemon?.store.get(peerId)];
        if (wish === undefined || peer === undefined || wish.generation === peer.generation) continue;
        scene.violated("generation-means-change", `${peerId} is in generation ${peer.generation}, expected ${wish.generation}`);
      }
      touched.clear();
    },
  };

  /** An event without an address keeps the previous one. */
  function wished(peerId: PeerId, standing: Standing, relation: string, said: Address | null, seq: number): void {
    const before = wishes.get(peerId);
    const address = said ?? before?.address ?? null;
    const isSame = before?.standing === standing && before.relation === relation && before.address === address;
    wishes.set(peerId, { standing, relation, address, generation: isSame ? before.generation : seq });
    touched.add(peerId);
  }
}
