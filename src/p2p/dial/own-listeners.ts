/** Where this program listens, from what was configured and what is bound. Pure. */
import type { Address } from "../../base/ids.ts";
import { type Ip, isLoopback, parseIp } from "../../base/net/ip.ts";
import { tcpEndpointOf } from "../../base/net/tcp-endpoint.ts";
import { isUnspecified, type OwnListeners } from "./dial-policy.ts";

export interface ListenerFacts {
  /** The multiaddrs to listen on for partners. Their port may be 0. */
  readonly configured: readonly string[];
  /** The multiaddrs that are listened on now. */
  readonly bound: readonly string[];
  /** Listeners for anything else than partners, such as the HTTP API. */
  readonly others: readonly { readonly host: string; readonly port: number }[];
  /** The addresses of this machine. */
  readonly machine: readonly string[];
}

export function ownListeners({ configured, bound, others, machine }: ListenerFacts): OwnListeners {
  const asked = configured.flatMap(endpointIn);
  const partners = bound.flatMap(endpointIn);
  const wildcards = asked.filter(({ ip }) => isUnspecified(ip));
  const everywhere = wildcards.flatMap(({ ip, port }) =>
    port === 0 ? partners.map((endpoint) => ({ ip, port: endpoint.port })) : [{ ip, port }],
  );
  return {
    endpoints: [...partners, ...everywhere, ...others.flatMap(({ host, port }) => ipsOf(host).map((ip) => ({ ip, port })))],
    machine: machine.flatMap(ipsOf),
    onLoopbackAlone: [...asked, ...partners].every(({ ip }) => isLoopback(ip)),
  };
}

function endpointIn(address: string): readonly { readonly ip: Ip; readonly port: number }[] {
  const endpoint = tcpEndpointOf(address as Address);
  return endpoint === undefined ? [] : ipsOf(endpoint.host).map((ip) => ({ ip, port: endpoint.port }));
}

/** `localhost` is the only name that is known without asking. */
function ipsOf(host: string): readonly Ip[] {
  return (host === "localhost" ? ["127.0.0.1", "::1"] : [host]).flatMap((text) => parseIp(text) ?? []);
}
