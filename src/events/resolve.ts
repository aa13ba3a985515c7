/** From what a message says to an event about one PeerID, the key of everything. */
import { type PeerId, type ResourceId, withPeerId } from "../base/ids.ts";
import type { Desired, Rejected, Removed } from "./decoded.ts";
import { shown } from "./json.ts";
import type { DesiredEvent } from "./types.ts";

/**
 * The event that `decoded` asks for. Where it names its peer by the resource id alone, that is the peer this resource last
 * meant, as `peerOfResource` knows it; Rejected as `peer_unknown` where nobody does.
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
