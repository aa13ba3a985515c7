/** The dial planner of this machine: its resolver, its interfaces and its listeners. */
import { networkInterfaces } from "node:os";
import type { Clock } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import { type AddressRange, parseAddressRange } from "../../base/net/address-range.ts";
import { type DialPlanner, PolicyDialPlanner } from "./dial-planner.ts";
import { NameResolver } from "./name-resolver.ts";
import { type ListenerFacts, ownListeners } from "./own-listeners.ts";

export interface DialPlannerInit {
  readonly clock: Clock;
  /** The settings `p2p.dial`. */
  readonly settings: {
    readonly allow: readonly string[];
    readonly deny: readonly string[];
    readonly private: "allow" | "deny";
  };
  /** The multiaddrs to listen on, as configured. */
  readonly listen: readonly string[];
  /** Those that are listened on now. */
  readonly bound: () => readonly string[];
  readonly others: () => ListenerFacts["others"];
}

/** Throws PartnerdError `config_invalid` if a range is invalid. */
export function createDialPlanner({ clock, settings, listen, bound, others }: DialPlannerInit): DialPlanner {
  return new PolicyDialPlanner({
    clock,
    policy: { allow: settings.allow.map(rangeIn), deny: settings.deny.map(rangeIn), private: settings.private },
    resolver: new NameResolver(),
    ownListeners: () =>
      ownListeners({
        configured: listen,
        bound: bound(),
        others: others(),
        machine: Object.values(networkInterfaces()).flatMap((each) => each?.map(({ address }) => address) ?? []),
      }),
  });
}

function rangeIn(text: string): AddressRange {
  const range = parseAddressRange(text);
  if (typeof range !== "string") return range;
  throw new PartnerdError("config_invalid", `p2p.dial: ${JSON.stringify(text)} ${range}`);
}
