/** Ranges of addresses and ports, as settings spell them. Pure. */
import { BlockList } from "node:net";
import { type Ip, parseIp } from "./ip.ts";

export interface AddressRange {
  /** As it was spelled. */
  readonly text: string;
  contains(ip: Ip, port: number): boolean;
}

/** The forms that `parseAddressRange` reads, for messages. */
const ADDRESS_RANGE_FORMS = "CIDR, CIDR:PORT, CIDR:FIRST-LAST or :PORT, for example 10.0.0.0/8, [fd00::/8]:4001 or :5432";

/**
 * Parses `CIDR`, `CIDR:PORTS` or `:PORTS`. CIDR is an address with or without a prefix length; an IPv6 address without one needs
 * brackets if ports follow. PORTS is one port or `FIRST-LAST`. Returns the problem, as the end of a sentence, if `text` is invalid.
 */
export function parseAddressRange(text: string): AddressRange | string {
  const { cidr, ports: portText } = partsOf(text.trim());
  const subnet = cidr === undefined ? everywhere : subnetOf(cidr);
  if (typeof subnet === "string") return subnet;
  const ports = portText === undefined ? [0, MAX_PORT] : portsOf(portText);
  const [first, last] = ports ?? [];
  if (first === undefined || last === undefined)
    return `has no port or range of ports after the colon; expected ${ADDRESS_RANGE_FORMS}`;
  if (first > last || last > MAX_PORT) return `has ports that are not in order or above ${MAX_PORT}`;
  return { text, contains: (ip, port) => first <= port && port <= last && subnet(ip) };
}

const MAX_PORT = 65_535;

function partsOf(text: string): { readonly cidr?: string | undefined; readonly ports?: string | undefined } {
  const shape =
    /^:(?<ports>\d[^:]*)$/.exec(text) ??
    /^\[(?<cidr>[^\]]*)\](?::(?<ports>.*))?$/.exec(text) ??
    /^(?<cidr>[^/]*\/\d+)(?::(?<ports>.*))?$/.exec(text) ??
    /^(?<cidr>[^:]*)(?::(?<ports>[^:]*))?$/.exec(text);
  return shape?.groups ?? { cidr: text };
}

const everywhere = (): boolean => true;

function subnetOf(cidr: string): ((ip: Ip) => boolean) | string {
  const [, address = "", length] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(cidr) ?? [];
  const ip = parseIp(address);
  if (ip === undefined) return `has no IP address; expected ${ADDRESS_RANGE_FORMS}`;
  const list = new BlockList();
  // A mapped address was unwrapped, and so is the length of its prefix.
  const unwrappedBits = ip.family === "ipv4" && address.includes(":") ? MAPPED_PREFIX_BITS : 0;
  const bits = ip.family === "ipv4" ? IPV4_BITS : IPV6_BITS;
  const prefix = length === undefined ? bits : Number(length) - unwrappedBits;
  if (prefix < 0 || prefix > bits) return `has a prefix length that is not between ${unwrappedBits} and ${bits + unwrappedBits}`;
  list.addSubnet(ip.text, prefix, ip.family);
  // Without the comparison of families, ::/0 would contain every IPv4 address.
  return ({ text, family }) => family === ip.family && list.check(text, family);
}

const IPV4_BITS = 32;
const IPV6_BITS = 128;
const MAPPED_PREFIX_BITS = 96;

function portsOf(text: string): readonly [number, number] | undefined {
  const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? [];
  return first === undefined || last === undefined ? undefined : [Number(first), Number(last)];
}
