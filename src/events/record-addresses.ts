/** Reads the addresses of a peer record: one or several, in text, an array, or two fields. */
import { type Address, addressListOf, LONGEST_ADDRESS, type PeerId, parseAddress, parsePeerId } from "../base/ids.ts";
import { type Fields, field, textOf } from "./fields.ts";
import { type JsonValue, Refusal } from "./json.ts";

const NAMES = ["stream_address", "stream_addresses"] as const;

/** Far more than a peer is dialled at; bounds the row. */
const MAX_ADDRESSES = 16;
/** In characters, of one text with several addresses. */
export const LONGEST_ADDRESS_TEXT = 8192;

export interface RecordAddresses {
  /** As the record spells them, for messages; null if it has none. */
  readonly given: string | null;
  /** Canonical, in the record's order; undefined unless all look like multiaddrs and one is known. */
  readonly address: Address | undefined;
  /** The PeerIDs that they end in, each once. */
  readonly peerIds: readonly PeerId[];
}

export function addressesOfRecord(record: Fields): RecordAddresses | Refusal {
  const given: string[] = [];
  for (const name of NAMES) {
    const value = field(record, name) ?? "";
    for (const item of isArray(value) ? value : [value]) {
      const text = textOf(name, item ?? "", LONGEST_ADDRESS_TEXT);
      if (text instanceof Refusal) return text;
      for (const piece of splitAddresses(text)) {
        const address = textOf(name, piece, LONGEST_ADDRESS);
        if (address instanceof Refusal) return address;
        given.push(address);
      }
    }
  }
  if (given.length > MAX_ADDRESSES)
    return new Refusal("field_invalid", `stream_address names ${given.length} addresses: expected at most ${MAX_ADDRESSES}`);
  const parsed = given.map((text) => parseAddress(text) ?? unknownAddress(text));
  const isUsable = parsed.every((each) => each !== undefined) && given.some((text) => parseAddress(text) !== undefined);
  return {
    given: given.length === 0 ? null : given.join(","),
    address: isUsable ? addressListOf(parsed.map(({ address }) => address)) : undefined,
    peerIds: [...new Set(parsed.flatMap((each) => each?.peerId ?? []))],
  };
}

/**
 * The addresses in `text`, separated by commas or white space. A comma within an address does not precede a slash. Takes time in
 * proportion to the length of the text, whatever it contains.
 */
export function splitAddresses(text: string): readonly string[] {
  return text
    .split(/(?<=[\s,])(?=\/)/)
    .map(withoutSeparatorsAtEnd)
    .filter((piece) => piece !== "");
}

/** `/[\s,]+$/` would try each separator of a long run as the first one. */
function withoutSeparatorsAtEnd(text: string): string {
  let end = text.length;
  while (end > 0 && /[\s,]/.test(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

/** An address in a protocol that we do not know. It stays in the list, so that it can be shown as skipped. */
function unknownAddress(text: string): { readonly address: Address; readonly peerId: PeerId | undefined } | undefined {
  if (!/^\/[^\s\p{Cc}]+$/u.test(text)) return undefined;
  return { address: text as Address, peerId: parsePeerId(/\/p2p\/([^/]+)$/.exec(text)?.[1] ?? "") };
}

const isArray = (value: JsonValue): value is readonly JsonValue[] => Array.isArray(value);
