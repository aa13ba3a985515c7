/** The Host header, and the hosts that are ours. A page that reaches us by DNS rebinding sends the name of its own site. Pure. */
import { isIP, isIPv6 } from "node:net";
import { parseIp } from "../base/net/ip.ts";
import { type HttpAddress, isWildcard } from "../config/http-settings.ts";

const HOST = /^(?:\[([0-9a-f:.]+)(?:%[^\]]*)?\]|([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?)(?::(\d{1,5}))?$/i;

/** The name or address in a Host header, in lower case, without port, brackets, zone and final dot; undefined if it is none. */
export function hostOf(header: string): string | undefined {
  const [, ipv6, name, port = "0"] = HOST.exec(header) ?? [];
  if (Number(port) > 65_535) return undefined;
  if (ipv6 !== undefined) return isIPv6(ipv6) ? canonicalAddress(ipv6) : undefined;
  return name?.toLowerCase();
}

/** The one spelling of an IP address, without its zone. IPv4 written as IPv6 becomes IPv4, as in a socket that listens on `::`. */
export function canonicalAddress(address: string): string {
  const [plain = ""] = address.split("%");
  return parseIp(plain)?.text ?? plain;
}

/**
 * The hosts that are ours whatever address a client connects to: `localhost`, the configured host and `allowedHosts`; also
 * `machine`, the name of this machine, if `listen` is all its interfaces.
 */
export function ownHosts(listen: HttpAddress, allowedHosts: readonly string[], machine: string): ReadonlySet<string> {
  const listened = "host" in listen ? [listen.host, ...(isWildcard(listen) ? [machine] : [])] : [];
  const hosts = ["localhost", ...listened, ...allowedHosts].map((host) => hostOf(isIP(host) === 6 ? `[${host}]` : host));
  return new Set(hosts.filter((host) => host !== undefined));
}
