/** Branded identifiers: text that was validated once, where it entered the program. */
import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { RecentMap } from "../base/recent-map.ts";
import { detached } from "../base/units.ts";

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** A libp2p PeerID in canonical text: base58, or CIDv1 for hashed keys. */
export type PeerId = Branded<"PeerId">;
/** A participant's decentralized identifier, or its resource id if the event carries no DID. */
export type Did = Branded<"Did">;
/** The id of a peer record in the source app's database. */
export type ResourceId = Branded<"ResourceId">;
/**
 * A valid multiaddr, with or without a final /p2p/ part; a PeerID in that part is canonical. Or several, separated by commas, in the
 * order to try them; at least one of them is valid, and the others begin with a slash.
 */
export type Address = Branded<"Address">;

/** Longest texts that are parsed. Generous for their content; the time to parse a PeerID is quadratic in its length. */
export const LONGEST_PEER_ID = 128;
export const LONGEST_ADDRESS = 1_024;

/** Cached because the same few peers recur, and parsing a PeerID costs more than everything else done with a message. */
const parsedPeerIds = new RecentMap<string, PeerId>(4_096);

/**
 * The canonical PeerId of `text`; undefined if it is invalid or too long, or has no key behind it (js-libp2p also makes PeerIDs of
 * URLs).
 */
export function parsePeerId(text: string): PeerId | undefined {
  if (text.length > LONGEST_PEER_ID) return undefined;
  const known = parsedPeerIds.get(text);
  if (known !== undefined) return known;
  try {
    const parsed = peerIdFromString(text);
    if (parsed.type === "url") return undefined;
    const peerId = parsed.toString() as PeerId;
    parsedPeerIds.set(text === peerId ? peerId : detached(text), peerId);
    return peerId;
  } catch {
    return undefined;
  }
}

interface ParsedAddress {
  readonly address: Address;
  readonly peerId: PeerId | undefined;
}

/** Cached for the same reason. */
const parsedAddresses = new RecentMap<string, ParsedAddress>(4_096);

/** The canonical multiaddr of `text` and the PeerId at its end, if any; undefined if `text` is not a multiaddr, or too long. */
export function parseAddress(text: string): ParsedAddress | undefined {
  if (text.length > LONGEST_ADDRESS) return undefined;
  const known = parsedAddresses.get(text);
  if (known !== undefined) return known;
  const parsed = readAddress(text);
  if (parsed !== undefined) parsedAddresses.set(text === parsed.address ? parsed.address : detached(text), parsed);
  return parsed;
}

function readAddress(text: string): ParsedAddress | undefined {
  if (!text.startsWith("/") || /[\s\p{Cc}]/u.test(text)) return undefined;
  try {
    const parsed = multiaddr(text);
    const last = parsed.getComponents().at(-1);
    if (last === undefined) return undefined;
    const canonical = parsed.toString();
    // Percent-encoding can make it nine times as long.
    if (canonical.length > LONGEST_ADDRESS) return undefined;
    if (last.name !== "p2p") return { address: canonical as Address, peerId: undefined };
    const peerId = parsePeerId(last.value ?? "");
    const transport = canonical.slice(0, canonical.lastIndexOf("/p2p/"));
    return peerId && { address: `${transport}/p2p/${peerId}` as Address, peerId };
  } catch {
    return undefined;
  }
}

/** `address` with `/p2p/<peerId>` at its end, added if missing; so each one of several. It must not end in another PeerId. */
export function withPeerId(address: Address, peerId: PeerId): Address {
  const suffix = `/p2p/${peerId}`;
  const complete = (each: Address) => (each.endsWith(suffix) || parseAddress(each) === undefined ? each : `${each}${suffix}`);
  return addressListOf(addressesOf(address).map((each) => complete(each) as Address));
}

/** The single addresses of `address`, at least one. */
export function addressesOf(address: Address): readonly Address[] {
  return address.split(/,(?=\/)/) as Address[];
}

/** Several addresses as one, each once. */
export function addressListOf(addresses: readonly Address[]): Address {
  return [...new Set(addresses)].join(",") as Address;
}

export const didOf = (text: string): Did => text as Did;
export const resourceIdOf = (text: string): ResourceId => text as ResourceId;
