/** What makes a message of a broker's stream recognisable, however often it is delivered and whatever becomes of the stream. Pure. */
import type { StreamIdentity } from "./cursor.ts";

const HASH_CHARS = 16;

/**
 * The time at which the stream stored the message, in ns since the epoch, with 64 bits of the message's SHA-256 (hex). A stream that was
 * set back gives a sequence away twice, at another time even where the bytes are the same.
 */
export function messageHash(storedAtNs: string, sha256: string): string {
  return `${storedAtNs}-${sha256.slice(0, HASH_CHARS)}`;
}

/** By (stream created, sequence, hash): one key for each message that a stream ever held. */
export function dedupeKeyOf({ created }: StreamIdentity, sequence: number, hash: string): string {
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
