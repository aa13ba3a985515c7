/** Refuses connections that have no place, and those of blacklisted peers. */
import type { ConnectionGater, MultiaddrConnection } from "@libp2p/interface";
import type { HandshakeWatch } from "../handshake/handshake-watch.ts";
import { type AdmissionPolicy, inboundRefused, refusalBy } from "../registry/admission-policy.ts";
import type { StreamObserver } from "../registry/registry.ts";
import { peerIdOf } from "./connection-index.ts";
import type { Door } from "./door.ts";
import type { HostGater, RemotePeer } from "./host.ts";

/**
 * Denies blacklisted peers, inbound and outbound. Strangers may connect, since their next event may make them partners. A denied
 * inbound peer is reported as refused, although it has not asked for a stream yet.
 */
export function createGater(admission: AdmissionPolicy, observer: Pick<StreamObserver, "observed"> | undefined): HostGater {
  const blacklisted = (peerId: RemotePeer) => {
    const refusal = refusalBy(admission, peerIdOf(peerId));
    return refusal?.code === "blacklisted" ? refusal : undefined;
  };
  const deny = (peerId: RemotePeer): boolean => blacklisted(peerId) !== undefined;
  return {
    denyDialPeer: deny,
    denyOutboundEncryptedConnection: deny,
    denyInboundEncryptedConnection: (peerId) => {
      const refusal = blacklisted(peerId);
      if (refusal !== undefined) observer?.observed(inboundRefused(peerIdOf(peerId), refusal));
      return refusal !== undefined;
    },
  };
}

/** The gater of a real host: `gater`, behind the door. */
export function behindDoor(door: Door, gater: HostGater, handshakes: HandshakeWatch): ConnectionGater {
  const admitted = (connection: MultiaddrConnection, hasPlace: boolean): boolean => {
    if (hasPlace) handshakes.connected(connection);
    return hasPlace;
  };
  return {
    denyDialPeer: (peerId) => gater.denyDialPeer(peerId),
    denyInboundConnection: (connection) => !admitted(connection, door.arrived(connection)),
    denyOutboundConnection: (_peerId, connection) => !admitted(connection, door.dialled(connection)),
    denyInboundEncryptedConnection: (peerId, connection) =>
      gater.denyInboundEncryptedConnection(peerId) || !door.identified(peerId, connection),
    denyOutboundEncryptedConnection: (peerId, connection) =>
      gater.denyOutboundEncryptedConnection(peerId) || !door.identified(peerId, connection),
  };
}
