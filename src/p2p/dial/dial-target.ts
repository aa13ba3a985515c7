/** The target of a dial: TCP only, and always with the PeerID that must answer. */
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { PartnerdError } from "../../base/errors.ts";
import type { Address, PeerId } from "../../base/ids.ts";
import { type TcpEndpoint, tcpEndpointOf } from "../../base/net/tcp-endpoint.ts";

/** The endpoint of `address`. Throws PartnerdError `address_unsupported` if there is none, it is not TCP, or it is another peer's. */
export function dialTarget(peerId: PeerId, address: Address | null): TcpEndpoint {
  if (address === null) throw unsupported(`peer ${peerId} has no address`);
  const endpoint = tcpEndpointOf(address);
  if (endpoint === undefined) throw unsupported(`address ${address} of peer ${peerId} is not a TCP address`);
  if (endpoint.peerId === null || endpoint.peerId === peerId) return endpoint;
  throw unsupported(`address ${address} belongs to a peer other than ${peerId}`);
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
