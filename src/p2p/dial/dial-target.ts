/** The target of a dial: TCP only, and always with the PeerID that must answer. */
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { PartnerdError } from "../../base/errors.ts";
import type { Address, PeerId } from "../../base/ids.ts";
import { dialability, type TcpEndpoint } from "../../base/net/tcp-endpoint.ts";

/** The endpoints in `address`, in order; at least one. Throws PartnerdError `address_unsupported` if it has none for this peer. */
export function dialTargets(peerId: PeerId, address: Address | null): readonly TcpEndpoint[] {
  if (address === null) throw unsupported(`peer ${peerId} has no address`);
  const { endpoints } = dialability(address);
  if (endpoints.length === 0) throw unsupported(`${address} is not a TCP address`);
  const ofPeer = endpoints.filter((endpoint) => endpoint.peerId === null || endpoint.peerId === peerId);
  if (ofPeer.length === 0) throw unsupported(`${address} belongs to a peer other than ${peerId}`);
  return ofPeer;
}

/** The multiaddr of `endpoint`, ending in the PeerID that must answer. */
export function targetMultiaddr(peerId: PeerId, { kind, host, zone, port }: Omit<TcpEndpoint, "peerId">): Multiaddr {
  return multiaddr(`${zone === null ? "" : `/ip6zone/${zone}`}/${kind}/${host}/tcp/${port}/p2p/${peerId}`);
}

function unsupported(message: string): PartnerdError {
  return new PartnerdError("address_unsupported", message, {
    nextStep: "publish an address like /dns4/host/tcp/4001/p2p/<PeerID>",
  });
}
