/** Resolves a decoded message to an event about one PeerID. */
import { type PeerId, type ResourceId, withPeerId } from "../base/ids.ts";
import type { Desired, Rejected, Removed } from "./decoded.ts";
import { shown } from "./json.ts";
import type { DesiredEvent } from "./types.ts";

/**
 * The event that `decoded` asks for. A peer named only by its resource id is the peer that this resource last referred to,
 * according to `peerOfResource`; Rejected as `peer_unknown` if there is none.
 */
export function resolve(
  decoded: Desired | Removed,
  peerOfResource: (resourceId: ResourceId) => PeerId | undefined,
): DesiredEvent | Rejected {
  const { resourceId, did } = decoded;
  const peerId = decoded.peerId ?? (resourceId === null ? undefined : peerOfResource(resourceId));
  if (peerId === undefined) return unknownPeer(decoded);
  if (decoded.kind === "removed") return { type: "PeerRemoved", peerId, resourceId, did };
  const { name, relation, standing } = decoded;
  const address = decoded.address === null ? null : withPeerId(decoded.address, peerId);
  return { type: "PeerDesired", peerId, resourceId, did, name, relation, standing, address };
}

function unknownPeer({ resourceId, source, claimedUser }: Desired | Removed): Rejected {
  const message = `id is ${shown(resourceId)}, which no earlier event ties to a PeerID: expected a peer_id or a stream_address as well`;
  return { kind: "rejected", reason: "peer_unknown", message, source, claimedUser };
}
