/** The TCP endpoint that a multiaddr names. Pure. */
import { multiaddr } from "@multiformats/multiaddr";
import type { Address, PeerId } from "../ids.ts";
import { parsePeerId } from "../ids.ts";

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

/** The endpoint of `<host>/tcp/<port>`, with or without a final `/p2p/<PeerID>`; undefined for any other address. */
export function tcpEndpointOf(address: Address): TcpEndpoint | undefined {
  const components = multiaddr(address).getComponents();
  const zone = components[0]?.name === "ip6zone" ? (components.shift()?.value ?? null) : null;
  const [host, port, last, ...rest] = components;
  const kind = HOST_KINDS.find((known) => known === host?.name);
  if (kind === undefined || host?.value === undefined || port?.name !== "tcp" || rest.length > 0) return undefined;
  if (last !== undefined && last.name !== "p2p") return undefined;
  return { kind, host: host.value, zone, port: Number(port.value), peerId: parsePeerId(last?.value ?? "") ?? null };
}
