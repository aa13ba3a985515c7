/** The error for an address that the dial policy denies. */
import { PartnerdError } from "../../base/errors.ts";
import type { Ip } from "../../base/net/ip.ts";
import type { TcpEndpoint } from "../../base/net/tcp-endpoint.ts";
import type { Denial, DialDecision } from "./dial-policy.ts";

const WHY: Readonly<Record<Denial, string>> = {
  deny_rule: "p2p.dial.deny forbids it",
  own_listener: "this daemon listens there itself",
  unspecified: "it is an unspecified address",
  loopback: "it is a loopback address, and this daemon does not listen on loopback alone",
  link_local: "it is a link-local address",
  multicast: "it is a multicast address",
  broadcast: "it is a broadcast address",
  metadata: "it is the address of a cloud metadata service",
  private: "it is a private address, and p2p.dial.private is deny",
};

/**
 * `address_denied`, with the denial in `details.reason`. `resolved` is what the host of `endpoint` resolved to, or is; a name may
 * resolve to something else later, so its denial is not final.
 */
export function addressDenied(
  endpoint: TcpEndpoint,
  resolved: Ip,
  { denial, ip }: Extract<DialDecision, { allowed: false }>,
): PartnerdError {
  const isName = endpoint.kind !== "ip4" && endpoint.kind !== "ip6";
  const asked = isName
    ? `${endpoint.host}:${endpoint.port}, which resolves to ${resolved.text}`
    : placeOf(resolved, endpoint.port);
  const via = ip.text === resolved.text ? "" : `it leads to ${ip.text}, and `;
  const denied = `${asked}${isName ? "," : ""} may not be dialled: ${via}${WHY[denial]}`;
  return new PartnerdError("address_denied", denied, {
    nextStep: nextStepFor(denial, placeOf(ip, endpoint.port)),
    details: { reason: denial, mayChange: isName },
  });
}

function nextStepFor(denial: Denial, place: string): string {
  switch (denial) {
    case "deny_rule":
      return "change p2p.dial.deny to permit it";
    case "own_listener":
      return "publish the peer's own address";
    case "unspecified":
    case "loopback":
    case "link_local":
    case "multicast":
    case "broadcast":
    case "metadata":
    case "private":
      return `add ${place} to p2p.dial.allow to permit it`;
  }
}

/** As p2p.dial.allow takes it. */
const placeOf = ({ family, text }: Ip, port: number): string => `${family === "ipv6" ? `[${text}]` : text}:${port}`;
