/** Branded identifiers: text that has been parsed once, at the edge, and is trusted from there on. */
import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** A libp2p PeerID in its canonical base58 (or CIDv1 for hashed keys) text. The key of everything. */
export type PeerId = Branded<"PeerId">;
/** The decentralised identifier of a participant; the resource id where an event gives no DID (WIRE). */
export type Did = Branded<"Did">;
/** The id of the peer record in the source app's database. */
export type ResourceId = Branded<"ResourceId">;
/** A multiaddr that parses. It may or may not end in /p2p/. */
export type Address = Branded<"Address">;

/** The canonical PeerId of `text`, or undefined where it is none. */
export function parsePeerId(text: string): PeerId | undefined {
  try {
    return peerIdFromString(text).toString() as PeerId;
  } catch {
    return undefined;
  }
}

/** The canonical multiaddr of `text` and the PeerId it ends in (if it does), or undefined where it is no multiaddr. */
export function parseAddress(text: string): { address: Address; peerId: PeerId | undefined } | undefined {
  if (!text.startsWith("/")) return undefined;
  try {
    const parsed = multiaddr(text);
    const last = parsed.getComponents().at(-1);
    if (last === undefined) return undefined;
    if (last.name !== "p2p") return { address: parsed.toString() as Address, peerId: undefined };
    const peerId = parsePeerId(last.value ?? "");
    return peerId && { address: parsed.toString() as Address, peerId };
  } catch {
    return undefined;
  }
}

export const didOf = (text: string): Did => text as Did;
export const resourceIdOf = (text: string): ResourceId => text as ResourceId;
