/**
 * Groups addresses that one host can have: each IPv4 address is a group, and each /64 of IPv6, the smallest network that a host is
 * given. Pure.
 */

export type AddressGroup = string & { readonly [addressGroup]: true };
declare const addressGroup: unique symbol;

/** IPv4 address mapped into IPv6, as a dual-stack listener reports it. */
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** The group of an IP address in text form. Text that is not an address is a group of its own. */
export function addressGroupOf(ip: string): AddressGroup {
  const address = MAPPED.exec(ip)?.[1] ?? ip;
  if (!address.includes(":")) return address as AddressGroup;
  const [head = "", tail] = (address.split("%")[0] ?? "").toLowerCase().split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = tail === undefined ? left : [...left, ...zeros(8 - left.length - right.length), ...right];
  const network = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(":")}::/64` as AddressGroup;
}

const zeros = (count: number): string[] => Array.from({ length: Math.max(0, count) }, () => "0");
