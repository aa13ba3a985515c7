/** Reads a peer record: the peer that an event is about, and what the event says about it. */
import { type Address, didOf, LONGEST_PEER_ID, parsePeerId, resourceIdOf, withPeerId } from "../base/ids.ts";
import type { Desired, PeerReference, Removed } from "./decoded.ts";
import { type Fields, field, integerOf, textFields, textOf } from "./fields.ts";
import { Refusal, shown } from "./json.ts";
import { addressesOfRecord } from "./record-addresses.ts";
import type { Standing } from "./types.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** Generous for their content. */
export const LONGEST = { id: 512, did: 512, peer_id: LONGEST_PEER_ID } as const;
export const LONGEST_NAME = { name: 512 } as const;
export const LONGEST_RELATION = 64;

/** Reads a record that sets a peer's relation. A missing relation is refused, so that an omission never revokes a peer. */
export function readDesired(record: Fields, vocabulary: Vocabulary): Omit<Desired, "kind" | "source" | "claimedUser"> | Refusal {
  const relation = relationOf(record, vocabulary);
  if (relation instanceof Refusal) return relation;
  const texts = textFields(record, LONGEST_NAME);
  if (texts instanceof Refusal) return texts;
  const standing = standingOf(relation, vocabulary);
  const located = locate(record, standing);
  return located instanceof Refusal ? located : { ...located, name: texts.name, relation, standing };
}

/** Reads a record that only has to identify its peer. */
export function readRemoved(record: Fields): Omit<Removed, "kind" | "source" | "claimedUser"> | Refusal {
  const located = locate(record, "revoked");
  if (located instanceof Refusal) return located;
  const { address: _, ...reference } = located;
  return reference;
}

function relationOf(record: Fields, vocabulary: Vocabulary): string | Refusal {
  const value = field(record, "relation") ?? "";
  const integer = integerOf(value);
  if (integer !== undefined) return vocabulary.relationNames[integer]?.toUpperCase() ?? `UNKNOWN(${integer})`;
  const text = textOf("relation", value, LONGEST_RELATION, 'a name such as "PARTNER", or an integer');
  if (text !== "") return text instanceof Refusal ? text : text.toUpperCase();
  return new Refusal("field_missing", 'relation is missing: expected a name such as "PARTNER" or "NONE", or an integer');
}

function standingOf(relation: string, vocabulary: Vocabulary): Standing {
  const isIn = (relations: readonly string[]) => relations.some((known) => known.toUpperCase() === relation);
  if (isIn(vocabulary.blacklistRelations)) return "blacklisted";
  return isIn(vocabulary.partnerRelations) ? "partner" : "revoked";
}

type Located = PeerReference & { readonly address: Address | null };

/**
 * The PeerID comes from the addresses, else from the record's own peer_id. A peer that is not a partner may be named by resource id
 * alone.
 */
function locate(record: Fields, standing: Standing): Located | Refusal {
  const texts = textFields(record, LONGEST);
  if (texts instanceof Refusal) return texts;

  const stated = texts.peer_id === null ? undefined : parsePeerId(texts.peer_id);
  if (texts.peer_id !== null && stated === undefined) {
    return new Refusal("peer_id_invalid", `peer_id is ${shown(texts.peer_id)}: expected a libp2p PeerID`);
  }
  const addresses = addressesOfRecord(record);
  if (addresses instanceof Refusal) return addresses;
  const { given, address } = addresses;
  const [addressed, another] = addresses.peerIds;
  if (another !== undefined) {
    return new Refusal("peer_id_disagrees", `stream_address names ${addressed} and ${another}: expected one PeerID`);
  }
  if (stated !== undefined && addressed !== undefined && stated !== addressed) {
    return new Refusal(
      "peer_id_disagrees",
      `peer_id is ${stated} but stream_address ends in /p2p/${addressed}: expected one PeerID`,
    );
  }
  const peerId = addressed ?? stated;

  const isNamed = peerId !== undefined || (standing !== "partner" && texts.id !== null);
  if (given === null && standing === "partner") {
    return new Refusal("address_missing", "stream_address is missing: expected the multiaddr to reach this partner at");
  }
  if (given !== null && address === undefined && (standing === "partner" || !isNamed)) {
    return new Refusal(
      "address_invalid",
      `stream_address is ${shown(given)}: expected a multiaddr such as /ip4/192.0.2.1/tcp/4001/p2p/<PeerID>`,
    );
  }
  if (!isNamed) {
    const alternatives =
      standing === "partner" ? "stream_address with /p2p/<PeerID>" : "id, or a stream_address with /p2p/<PeerID>";
    return new Refusal("field_missing", `nothing names the peer: expected a peer_id, or ${alternatives}`);
  }

  const did = texts.did ?? texts.id;
  return {
    peerId: peerId ?? null,
    resourceId: texts.id === null ? null : resourceIdOf(texts.id),
    did: did === null ? null : didOf(did),
    address: address === undefined ? null : peerId === undefined ? address : withPeerId(address, peerId),
  };
}
