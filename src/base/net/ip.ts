/** IP addresses in canonical text. Pure. */
import { isIPv6, SocketAddress } from "node:net";
import { multiaddr } from "@multiformats/multiaddr";

/** An IP address. IPv4-mapped IPv6 is the IPv4 address; text is canonical and has no zone. */
export interface Ip {
  readonly family: "ipv4" | "ipv6";
  readonly text: string;
}

/** The address that `text` spells; undefined if it spells none. Leading zeros, octal and short forms are invalid, as in inet_pton. */
export function parseIp(text: string): Ip | undefined {
  const family = isIPv6(text) ? "ipv6" : "ipv4";
  let canonical: string;
  try {
    canonical = new SocketAddress({ address: text, family }).address;
  } catch {
    return undefined;
  }
  const mapped = family === "ipv6" ? /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(canonical)?.[1] : undefined;
  return mapped === undefined ? { family, text: canonical } : { family: "ipv4", text: mapped };
}

export function isLoopback({ family, text }: Ip): boolean {
  return family === "ipv4" ? text.startsWith("127.") : text === "::1";
}

/** True if `text` is an IP address of the loopback interface; false for a name. */
export function isLoopbackAddress(text: string): boolean {
  const ip = parseIp(text);
  return ip !== undefined && isLoopback(ip);
}

/** Patterns of IPv6 addresses, in hex, that embed an IPv4 address, and the bytes that hold it. */
const EMBEDDINGS: readonly { readonly prefix: RegExp; readonly at: readonly number[]; readonly inverted?: true }[] = [
  // NAT64: the well-known prefix, and the local one with each layout that fits it (RFC 6052). Byte 8 is skipped.
  { prefix: /^0064ff9b0{16}/, at: [12, 13, 14, 15] },
  { prefix: /^0064ff9b0001/, at: [6, 7, 9, 10] },
  { prefix: /^0064ff9b0001/, at: [7, 9, 10, 11] },
  { prefix: /^0064ff9b0001/, at: [9, 10, 11, 12] },
  { prefix: /^0064ff9b0001/, at: [12, 13, 14, 15] },
  // 6to4.
  { prefix: /^2002/, at: [2, 3, 4, 5] },
  // Teredo: its server and its client.
  { prefix: /^20010000/, at: [4, 5, 6, 7] },
  { prefix: /^20010000/, at: [12, 13, 14, 15], inverted: true },
  // ISATAP (RFC 5214): any network, then 0000:5efe with any universal and group bits.
  { prefix: /^.{16}0[0-3]005efe/, at: [12, 13, 14, 15] },
  // IPv4-translated and IPv4-compatible.
  { prefix: /^0{16}ffff0000/, at: [12, 13, 14, 15] },
  { prefix: /^0{24}/, at: [12, 13, 14, 15] },
];

/** The IPv4 addresses that packets to `ip` may end up at, if a translator or a tunnel forwards them. */
export function embeddedIps(ip: Ip): readonly Ip[] {
  if (ip.family === "ipv4" || ip.text === "::" || ip.text === "::1") return [];
  // One byte of protocol code, then the address.
  const bytes = Buffer.from(multiaddr(`/ip6/${ip.text}`).bytes.subarray(1));
  const hex = bytes.toString("hex");
  const layouts = EMBEDDINGS.filter(({ prefix }) => prefix.test(hex));
  const ips = layouts.map(({ at, inverted }): Ip => {
    const four = at.map((index) => (bytes[index] ?? 0) ^ (inverted === true ? 0xff : 0));
    return { family: "ipv4", text: four.join(".") };
  });
  // Of several layouts one is meant. Zeros in another one are padding: nothing is forwarded to 0.0.0.0/8.
  return ips.length === 1 ? ips : ips.filter(({ text }) => !text.startsWith("0."));
}
