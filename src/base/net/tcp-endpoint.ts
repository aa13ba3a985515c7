/** The TCP endpoint that a multiaddr names. Pure. */
import { multiaddr } from "@multiformats/multiaddr";
import { type Address, addressesOf, type PeerId, parseAddress, parsePeerId } from "../ids.ts";

const HOST_KINDS = ["ip4", "ip6", "dns", "dns4", "dns6"] as const;

export interface TcpEndpoint {
  readonly kind: (typeof HOST_KINDS)[number];
  /** An IP address or a name, by `kind`. */
  readonly host: string;
  /** Of a link-local IPv6 address, if given. */
  readonly zone: string | null;
  readonly port: number;
  /** The peer at its end, if it names one. */
  readonly peerId: PeerId | null;
}

/** The addresses in `address` that TCP can dial, and those that it cannot, each in order. */
export function dialability(address: Address): {
  readonly endpoints: readonly TcpEndpoint[];
  readonly skipped: readonly Address[];
} {
  const all = addressesOf(address).map((each) => ({ each, endpoint: tcpEndpointOf(each) }));
  return {
    endpoints: all.flatMap(({ endpoint }) => endpoint ?? []),
    skipped: all.flatMap(({ each, endpoint }) => (endpoint === undefined ? [each] : [])),
  };
}

/** The endpoint of `<host>/tcp/<port>`, with or without a final `/p2p/<PeerID>`; undefined for any other single address. */
export function tcpEndpointOf(address: Address): TcpEndpoint | undefined {
  if (parseAddress(address) === undefined) return undefined;
  const components = multiaddr(address).getComponents();
  const zone = components[0]?.name === "ip6zone" ? (components.shift()?.value ?? null) : null;
  const [host, port, last, ...rest] = components;
  const kind = HOST_KINDS.find((known) => known === host?.name);
  if (kind === undefined || host?.value === undefined || port?.name !== "tcp" || rest.length > 0) return undefined;
  if (last !== undefined && last.name !== "p2p") return undefined;
  return { kind, host: host.value, zone, port: Number(port.value), peerId: parsePeerId(last?.value ?? "") ?? null };
}
