import type { DesiredPeer } from "../../src/events/types.ts";
import type { Address, PeerId } from "../../src/ids.ts";
import { didOf } from "../../src/ids.ts";

/** A partner as the desired state names it, after its first event. */
export function desiredPartner(peerId: PeerId, address: Address | null): DesiredPeer {
  return {
    peerId,
    resourceId: null,
    did: didOf(`did:${peerId}`),
    name: null,
    relation: "PARTNER",
    standing: "partner",
    address,
    desiredSeq: 1,
    generation: 1,
    sinceMs: 0,
  };
}
