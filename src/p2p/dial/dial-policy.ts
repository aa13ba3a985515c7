/** Decides which addresses may be dialled. Pure: policy, listeners and address in, decision out. */
import { BlockList } from "node:net";
import type { AddressRange } from "../../base/net/address-range.ts";
import { embeddedIps, type Ip, isLoopback } from "../../base/net/ip.ts";

/** The operator's choices: `deny` overrides `allow`, and `allow` overrides the default denials. */
export interface DialPolicy {
  readonly allow: readonly AddressRange[];
  readonly deny: readonly AddressRange[];
  /** Whether private ranges may be dialled. */
  readonly private: "allow" | "deny";
}

/** Where this program listens. */
export interface OwnListeners {
  /** The unspecified address stands for every address of the machine. */
  readonly endpoints: readonly { readonly ip: Ip; readonly port: number }[];
  /** The addresses of the machine's interfaces. */
  readonly machine: readonly Ip[];
  /** Partners on other machines cannot reach us. */
  readonly onLoopbackAlone: boolean;
}

/** Why an address may not be dialled: a deny rule, one of our listeners, or a class of addresses that is denied by default. */
export type Denial = "deny_rule" | "own_listener" | DeniedClass;

type DeniedClass = "unspecified" | "loopback" | "link_local" | "multicast" | "broadcast" | "metadata" | "private";

/** `ip`: the address that is denied, which the address in question is or leads to. */
export type DialDecision = { readonly allowed: true } | { readonly allowed: false; readonly denial: Denial; readonly ip: Ip };

/**
 * Decides about one resolved address. An IPv6 address that leads to an IPv4 address (NAT64, 6to4, Teredo, ISATAP) is allowed only if
 * both are. Our own listeners are denied even if a rule allows them.
 */
export function decideDial(ip: Ip, port: number, policy: DialPolicy, own: OwnListeners): DialDecision {
  for (const each of [ip, ...embeddedIps(ip)]) {
    const denial = denialOf(each, port, policy, own);
    if (denial !== undefined) return { allowed: false, denial, ip: each };
  }
  return { allowed: true };
}

function denialOf(ip: Ip, port: number, policy: DialPolicy, own: OwnListeners): Denial | undefined {
  const isIn = (ranges: readonly AddressRange[]) => ranges.some((range) => range.contains(ip, port));
  const denied = deniedClassOf(ip);
  if (isOwn(ip, port, own)) return "own_listener";
  if (isIn(policy.deny)) return "deny_rule";
  if (denied === undefined || isIn(policy.allow)) return undefined;
  if (denied === "loopback" && own.onLoopbackAlone) return undefined;
  return denied === "private" && policy.private === "allow" ? undefined : denied;
}

/** A connection to the unspecified address reaches this machine, as one to loopback does. */
function isOwn(ip: Ip, port: number, { endpoints, machine }: OwnListeners): boolean {
  const isHere = isUnspecified(ip) || isLoopback(ip) || machine.some(({ text }) => text === ip.text);
  return endpoints.some(
    (endpoint) =>
      endpoint.port === port && (endpoint.ip.text === ip.text || isUnspecified(ip) || (isHere && isUnspecified(endpoint.ip))),
  );
}

/** The first class that contains an address is its class. */
const CLASSES: readonly (readonly [DeniedClass, BlockList])[] = [
  ["unspecified", ranges("0.0.0.0/8", "::/128")],
  ["loopback", ranges("127.0.0.0/8", "::1/128")],
  ["link_local", ranges("169.254.0.0/16", "fe80::/10")],
  ["multicast", ranges("224.0.0.0/4", "ff00::/8")],
  ["broadcast", ranges("255.255.255.255/32")],
  // Cloud metadata services outside the link-local range: AWS, Google Cloud, Azure, Alibaba Cloud.
  ["metadata", ranges("fd00:ec2::254/128", "fd20:ce::254/128", "168.63.129.16/32", "100.100.100.200/32")],
  // RFC 1918, carrier-grade NAT, unique local, and the older site local.
  ["private", ranges("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fec0::/10")],
];

function ranges(...cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = "", length] = cidr.split("/");
    list.addSubnet(address, Number(length), address.includes(":") ? "ipv6" : "ipv4");
  }
  return list;
}

function deniedClassOf({ text, family }: Ip): DeniedClass | undefined {
  return CLASSES.find(([, list]) => list.check(text, family))?.[0];
}

export const isUnspecified = (ip: Ip): boolean => deniedClassOf(ip) === "unspecified";
