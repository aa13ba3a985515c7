/** Identifies a message of a broker stream, however often it is delivered and whatever happens to the stream. Pure. */
import type { BrokerStream } from "./cursor.ts";

const HASH_CHARS = 16;

/**
 * The time at which the stream stored the message, in ns since the epoch, and 64 bits of the message's SHA-256 (hex). A rewound stream
 * reuses a sequence, but at another time, even if the bytes are the same.
 */
export function messageHash(storedAtNs: string, sha256: string): string {
  return `${storedAtNs}-${sha256.slice(0, HASH_CHARS)}`;
}

/** By (stream created, sequence, hash): one key for each message that a stream ever held. */
export function dedupeKeyOf({ created }: BrokerStream, sequence: number, hash: string): string {
  return `${created}/${sequence}/${hash}`;
}

/** A message of a stream that the log has received. */
export interface KnownMessage {
  readonly sequence: number;
  readonly messageHash: string;
}

/** Undefined if `key` does not have the form of a stream message's key. */
export function parseDedupeKey(
  key: string,
): { readonly created: string; readonly sequence: number; readonly hash: string } | undefined {
  const { created, sequence, hash } = /^(?<created>[^/]+)\/(?<sequence>\d{1,15})\/(?<hash>[^/]+)$/.exec(key)?.groups ?? {};
  return created === undefined || sequence === undefined || hash === undefined
    ? undefined
    : { created, sequence: Number(sequence), hash };
}

/** The parts of a dedupe key that are kept when its row is archived (schema/archive.ts). */
export interface DedupeKeyParts {
  /** For a message from a stream: the creation time of the stream. */
  readonly created: string;
  readonly streamSequence: number;
  readonly messageHash: string;
}

/** Splits any key of a row with this sequence. A database trigger splits the keys of deleted rows in the same way. */
export function dedupeKeyParts(key: string, streamSequence: number | null): DedupeKeyParts {
  const start = key.slice(0, key.lastIndexOf("/") + 1);
  const messageHash = key.slice(start.length);
  const middle = `/${streamSequence ?? 0}/`;
  return start.endsWith(middle)
    ? { created: start.slice(0, -middle.length), streamSequence: streamSequence ?? 0, messageHash }
    : { created: start, streamSequence: 0, messageHash };
}
