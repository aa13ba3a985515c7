/** Connections that are refused as soon as it is known whose they are. */
import type { ConnectionGater, PeerId as Libp2pPeerId } from "@libp2p/interface";
import { peerIdOf } from "./connections.ts";
import type { PartnerRule } from "./rule.ts";

/** Denies the blacklisted, inbound and outbound; strangers may connect, since their next event may make them partners. */
export function createGater(rule: PartnerRule): ConnectionGater {
  const isBlacklisted = (peerId: Libp2pPeerId): boolean => rule.mayOpen(peerIdOf(peerId)) === "blacklisted";
  return {
    denyDialPeer: isBlacklisted,
    denyInboundEncryptedConnection: isBlacklisted,
    denyOutboundEncryptedConnection: isBlacklisted,
  };
}
