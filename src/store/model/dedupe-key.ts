/** What makes a message of a broker's stream recognisable, however often it is delivered and whatever becomes of the stream. Pure. */
import type { BrokerStream } from "./cursor.ts";

const HASH_CHARS = 16;

/**
 * The time at which the stream stored the message, in ns since the epoch, with 64 bits of the message's SHA-256 (hex). A stream that was
 * set back gives a sequence away twice, at another time even where the bytes are the same.
 */
export function messageHash(storedAtNs: string, sha256: string): string {
  return `${storedAtNs}-${sha256.slice(0, HASH_CHARS)}`;
}

/** By (stream created, sequence, hash): one key for each message that a stream ever held. */
export function dedupeKeyOf({ created }: BrokerStream, sequence: number, hash: string): string {
  return `${created}/${sequence}/${hash}`;
}

/** Undefined for what is no key of a stream's message. */
export function parseDedupeKey(
  key: string,
): { readonly created: string; readonly sequence: number; readonly hash: string } | undefined {
  const { created, sequence, hash } = /^(?<created>[^/]+)\/(?<sequence>\d{1,15})\/(?<hash>[^/]+)$/.exec(key)?.groups ?? {};
  return created === undefined || sequence === undefined || hash === undefined
    ? undefined
    : { created, sequence: Number(sequence), hash };
}

/** A dedupe key in the parts that are kept of it when its row is archived (schema/archive.ts). */
export interface DedupeKeyParts {
  /** Of a stream's message: when the stream was made. */
  readonly created: string;
  readonly streamSequence: number;
  readonly messageHash: string;
}

/** Any key, of a row with this sequence. A trigger of the database does the same to the keys of deleted rows. */
export function dedupeKeyParts(key: string, streamSequence: number | null): DedupeKeyParts {
  const start = key.slice(0, key.lastIndexOf("/") + 1);
  const messageHash = key.slice(start.length);
  const middle = `/${streamSequence ?? 0}/`;
  return start.endsWith(middle)
    ? { created: start.slice(0, -middle.length), streamSequence: streamSequence ?? 0, messageHash }
    : { created: start, streamSequence: 0, messageHash };
}
