/** Branded identifiers: text that has been parsed once, at the edge, and is trusted from there on. */
import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { RecentMap } from "../base/recent-map.ts";

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** A libp2p PeerID in its canonical base58 (or CIDv1 for hashed keys) text. The key of everything. */
export type PeerId = Branded<"PeerId">;
/** The decentralised identifier of a participant; the resource id where an event gives no DID (WIRE). */
export type Did = Branded<"Did">;
/** The id of the peer record in the source app's database. */
export type ResourceId = Branded<"ResourceId">;
/** A multiaddr that parses. It may or may not end in /p2p/; if it does, in the canonical PeerId. */
export type Address = Branded<"Address">;

/** The same few peers are named again and again, and to parse a PeerID costs more than all else that is done with a message. */
const parsedPeerIds = new RecentMap<string, PeerId>(4_096);

/** The canonical PeerId of `text`, or undefined where it is none, or one that no key can prove (js-libp2p also has PeerIDs of URLs). */
export function parsePeerId(text: string): PeerId | undefined {
  const known = parsedPeerIds.get(text);
  if (known !== undefined) return known;
  try {
    const parsed = peerIdFromString(text);
    if (parsed.type === "url") return undefined;
    const peerId = parsed.toString() as PeerId;
    parsedPeerIds.set(text, peerId);
    return peerId;
  } catch {
    return undefined;
  }
}

interface ParsedAddress {
  readonly address: Address;
  readonly peerId: PeerId | undefined;
}

/** So is the same address. */
const parsedAddresses = new RecentMap<string, ParsedAddress>(4_096);

/** The canonical multiaddr of `text` and the PeerId it ends in (if it does), or undefined where it is no multiaddr. */
export function parseAddress(text: string): ParsedAddress | undefined {
  const known = parsedAddresses.get(text);
  if (known !== undefined) return known;
  const parsed = readAddress(text);
  if (parsed !== undefined) parsedAddresses.set(text, parsed);
  return parsed;
}

function readAddress(text: string): ParsedAddress | undefined {
  if (!text.startsWith("/") || /[\s\p{Cc}]/u.test(text)) return undefined;
  try {
    const parsed = multiaddr(text);
    const last = parsed.getComponents().at(-1);
    if (last === undefined) return undefined;
    const canonical = parsed.toString();
    if (last.name !== "p2p") return { address: canonical as Address, peerId: undefined };
    const peerId = parsePeerId(last.value ?? "");
    const transport = canonical.slice(0, canonical.lastIndexOf("/p2p/"));
    return peerId && { address: `${transport}/p2p/${peerId}` as Address, peerId };
  } catch {
    return undefined;
  }
}

/** `address` with the `/p2p/<peerId>` at its end that it may lack. It must not end in another PeerId. */
export function withPeerId(address: Address, peerId: PeerId): Address {
  const suffix = `/p2p/${peerId}`;
  return (address.endsWith(suffix) ? address : `${address}${suffix}`) as Address;
}

export const didOf = (text: string): Did => text as Did;
export const resourceIdOf = (text: string): ResourceId => text as ResourceId;
