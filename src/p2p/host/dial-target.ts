/** The multiaddr to dial: TCP only, and always with the PeerID that must answer. */
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { PartnerdError } from "../../base/errors.ts";
import { type Address, type PeerId, parsePeerId } from "../../base/ids.ts";

const HOSTS: ReadonlySet<string> = new Set(["ip4", "ip6", "dns", "dns4", "dns6"]);

/** `<host>/tcp/<port>/p2p/<peerId>`. Throws PartnerdError `address_unsupported` for any other address, or if there is none. */
export function dialTarget(peerId: PeerId, address: Address | null): Multiaddr {
  if (address === null) throw unsupported(`peer ${peerId} has no address`);
  const parsed = multiaddr(address);
  const components = parsed.getComponents().filter(({ name }) => name !== "ip6zone");
  const [host, port, last, ...rest] = components;
  const reachable = host !== undefined && HOSTS.has(host.name) && port?.name === "tcp" && rest.length === 0;
  if (!reachable || (last !== undefined && last.name !== "p2p")) {
    throw unsupported(`address ${address} of peer ${peerId} is not a TCP address`);
  }
  if (last === undefined) return parsed.encapsulate(`/p2p/${peerId}`);
  if (parsePeerId(last.value ?? "") !== peerId) throw unsupported(`address ${address} belongs to a peer other than ${peerId}`);
  return parsed;
}

function unsupported(message: string): PartnerdError {
  return new PartnerdError("address_unsupported", message, {
    nextStep: "publish an address like /dns4/host/tcp/4001/p2p/<PeerID>",
  });
}
