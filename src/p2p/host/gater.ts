/** Connections that are refused as soon as it is known whose they are. */

import { type AdmissionPolicy, inboundRefused, refusalBy } from "../registry/admission-policy.ts";
import type { StreamObserver } from "../registry/registry.ts";
import { peerIdOf } from "./connection-index.ts";
import type { HostGater, RemotePeer } from "./host.ts";

/**
 * Denies the blacklisted, inbound and outbound; strangers may connect, since their next event may make them partners. Who is
 * denied comes too early to ask for a stream, and is reported as refused all the same.
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
