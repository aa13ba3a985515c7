/** What makes a message of a broker's stream recognisable, however often it is delivered and whatever becomes of the stream. Pure. */
import { hash } from "node:crypto";
import type { StreamIdentity } from "./cursor.ts";

const HASH_CHARS = 16;

/**
 * 64 bits (hex) over the time at which the stream stored the message and the message itself. A stream that was set back gives a sequence
 * away twice, at another time even where the bytes are the same.
 */
export function messageHash(storedAtNs: number | bigint, subject: string, bytes: Uint8Array): string {
  const head = Buffer.from(`${storedAtNs} ${subject}\n`);
  return hash("sha256", Buffer.concat([head, bytes]), "hex").slice(0, HASH_CHARS);
}

/** By (stream created, sequence, hash): one key for each message that a stream ever held. */
export function dedupeKeyOf({ created }: StreamIdentity, sequence: number, hash: string): string {
  return `${created}/${sequence}/${hash}`;
}
