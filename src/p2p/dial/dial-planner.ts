/** Turns a peer's address into the literal addresses to dial: resolved once, then checked against the dial policy. */
import type { Multiaddr } from "@multiformats/multiaddr";
import { type Clock, deadline } from "../../base/clock.ts";
import { isFault, PartnerdError } from "../../base/errors.ts";
import type { Address, PeerId } from "../../base/ids.ts";
import { type Ip, parseIp } from "../../base/net/ip.ts";
import type { TcpEndpoint } from "../../base/net/tcp-endpoint.ts";
import { abortable } from "../../base/pause.ts";
import { addressDenied } from "./address-denied.ts";
import { type DialPolicy, decideDial, type OwnListeners } from "./dial-policy.ts";
import { dialTargets, targetMultiaddr } from "./dial-target.ts";
import type { NameResolver } from "./name-resolver.ts";

export interface DialPlanner {
  /**
   * The multiaddrs to dial, in order; at least one. Rejects with PartnerdError `address_unsupported`, `address_denied` if the policy
   * denies all of them, `name_unresolved` if a name does not resolve, or with the signal's reason.
   */
  plan(peerId: PeerId, address: Address | null, signal: AbortSignal): Promise<readonly Multiaddr[]>;
}

/** Bounds how many addresses one attempt tries. */
const MAX_TARGETS = 8;

/** No policy and no resolution: for hosts whose network is not the real one. */
export const dialAsGiven: DialPlanner = {
  plan: async (peerId, address) =>
    dialTargets(peerId, address)
      .slice(0, MAX_TARGETS)
      .map((target) => targetMultiaddr(peerId, target)),
};

/** Leaves time to dial within the usual limit of an attempt. */
const RESOLVE_TIMEOUT_MS = 3_000;

const FAMILIES = { dns: 0, dns4: 4, dns6: 6 } as const;

export interface PolicyPlannerComponents {
  readonly clock: Clock;
  readonly policy: DialPolicy;
  readonly resolver: NameResolver;
  /** Asked at each dial, since interfaces come and go. */
  readonly ownListeners: () => OwnListeners;
}

export class PolicyDialPlanner implements DialPlanner {
  readonly #components: PolicyPlannerComponents;

  constructor(components: PolicyPlannerComponents) {
    this.#components = components;
  }

  async plan(peerId: PeerId, address: Address | null, signal: AbortSignal): Promise<readonly Multiaddr[]> {
    const endpoints = dialTargets(peerId, address);
    const { policy, ownListeners } = this.#components;
    const resolved = await Promise.allSettled(endpoints.map((endpoint) => this.#ipsOf(endpoint, signal)));
    signal.throwIfAborted();
    const own = ownListeners();
    const allowed: Multiaddr[] = [];
    const failures: Error[] = [];
    for (const [index, endpoint] of endpoints.entries()) {
      const ips = resolved[index];
      if (ips?.status !== "fulfilled") {
        failures.push(ips?.reason as Error);
        continue;
      }
      if (ips.value.length === 0) failures.push(unresolved(endpoint.host));
      for (const ip of ips.value) {
        const decision = decideDial(ip, endpoint.port, policy, own);
        if (decision.allowed) allowed.push(targetMultiaddr(peerId, literal(ip, endpoint)));
        else failures.push(addressDenied(endpoint, ip, decision));
      }
    }
    if (allowed.length > 0) return allowed.slice(0, MAX_TARGETS);
    throw failures.toSorted((a, b) => finality(a) - finality(b))[0] ?? new RangeError("no address was checked");
  }

  async #ipsOf({ kind, host }: TcpEndpoint, signal: AbortSignal): Promise<readonly Ip[]> {
    if (kind === "ip4" || kind === "ip6") return ipsIn([host]);
    const { clock, resolver } = this.#components;
    const late = () => new PartnerdError("name_unresolved", `the name ${host} was not resolved within ${RESOLVE_TIMEOUT_MS} ms`);
    using limit = deadline(clock, RESOLVE_TIMEOUT_MS, late, signal);
    try {
      return ipsIn(await abortable(resolver.resolve(host, FAMILIES[kind]), limit.signal));
    } catch (error) {
      limit.signal.throwIfAborted();
      throw isFault(error) ? error : unresolved(host, error);
    }
  }
}

/** The failure that may pass soonest decides when to try again: a fault or an unresolved name, a denied name, a denied address. */
function finality(error: Error): number {
  if (!(error instanceof PartnerdError) || error.code !== "address_denied") return 0;
  return error.details.mayChange === true ? 1 : 2;
}

const ipsIn = (texts: readonly string[]): readonly Ip[] => texts.flatMap((text) => parseIp(text) ?? []);

const literal = (ip: Ip, { zone, port }: TcpEndpoint): Omit<TcpEndpoint, "peerId"> =>
  ip.family === "ipv4" ? { kind: "ip4", host: ip.text, zone: null, port } : { kind: "ip6", host: ip.text, zone, port };

function unresolved(name: string, cause?: unknown): PartnerdError {
  return new PartnerdError("name_unresolved", `the name ${name} does not resolve`, { cause });
}
