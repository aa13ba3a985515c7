/** Desired peers for tests, without going through events. */

import { type Address, type PeerId, parsePeerId } from "../../src/base/ids.ts";
import type { DesiredPeer } from "../../src/events/types.ts";
import type { ActualPeer } from "../../src/reconciler/ports.ts";

export const PEER_A = peerIdOf("12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA");
export const PEER_B = peerIdOf("12D3KooWLrYpZzrwDmMMgvG3qFvMi4yxqxZcGBUd1pUTVTsKoXxh");

export const PEER_C = peerIdOf("12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X");

export function peerIdOf(text: string): PeerId {
  const peerId = parsePeerId(text);
  if (peerId === undefined) throw new Error(`invalid PeerID ${text}`);
  return peerId;
}

export function desiredPeer(peerId: PeerId, change: Partial<DesiredPeer> = {}): DesiredPeer {
  return {
    peerId,
    resourceId: null,
    did: null,
    name: null,
    relation: change.standing === "revoked" ? "NONE" : change.standing === "blacklisted" ? "BLACKLIST" : "PARTNER",
    standing: "partner",
    address: `/ip4/127.0.0.1/tcp/4001/p2p/${peerId}` as Address,
    desiredSeq: 1,
    generation: 1,
    sinceMs: 0,
    standingSeq: 1,
    standingSinceMs: 0,
    ...change,
  };
}

/** PEER_B without a stream or a connection. */
export const NOTHING_OPEN: ActualPeer = {
  peerId: PEER_B,
  outbound: null,
  inbound: null,
  connected: false,
  dialled: false,
  lastSignOfLifeMs: null,
  lastOutboundClose: null,
};
