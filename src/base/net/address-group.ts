/**
 * Groups addresses that one host can have: each IPv4 address is a group, and each /64 of IPv6, the smallest network that a host is
 * given. Pure.
 */
import { isIPv6 } from "node:net";

export type AddressGroup = string & { readonly [addressGroup]: true };
declare const addressGroup: unique symbol;

/** The group of an IP address in any of its spellings. Text that is not an address is a group of its own. */
export function addressGroupOf(ip: string): AddressGroup {
  const [plain = ""] = ip.split("%");
  if (!isIPv6(plain)) return ip as AddressGroup;
  const words = wordsOf(plain);
  // IPv4 written as IPv6, as a dual-stack listener reports it.
  if (words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff)
    return words
      .slice(6)
      .flatMap((word) => [word >> 8, word & 0xff])
      .join(".") as AddressGroup;
  const network = words.slice(0, 4).map((word) => word.toString(16));
  return `${network.join(":")}::/64` as AddressGroup;
}

/** The eight words of an IPv6 address. */
function wordsOf(address: string): readonly number[] {
  const [head = [], tail] = address.split("::").map(wordsIn);
  return tail === undefined ? head : [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail];
}

/** The words in a part of the address, whose last two may be spelled as IPv4. */
function wordsIn(part: string): readonly number[] {
  return part
    .split(":")
    .filter((word) => word !== "")
    .flatMap((word) => {
      const [a = 0, b = 0, c = 0, d = 0] = word.split(".").map(Number);
      return word.includes(".") ? [(a << 8) | b, (c << 8) | d] : [Number.parseInt(word, 16)];
    });
}
