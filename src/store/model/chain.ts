/**
 * The chain: each row carries a hash over itself and the hash of the row before it, so that whoever knows the last hash knows that no
 * row was edited, inserted or deleted. Pure. docs/adr/0012 says what it proves and what it cannot.
 */
import { hash } from "node:crypto";
import type { eventLog } from "../schema/log.ts";

/** What the first row follows. */
export const CHAIN_START = "0".repeat(64);

/** All that a row says. The payload counts by the hash of its stored part. */
type ChainedRow = Omit<typeof eventLog.$inferSelect, "payload" | "chainHash"> & {
  /** SHA-256 (hex) of the payload as stored, which is only a part of a long message; null where there is none. */
  readonly storedSha256: string | null;
};

/**
 * SHA-256, lower-case hex, over the JSON array of `previousHash` and all columns in the order of the first list below. A column that is
 * added later joins a new list, taken for the rows that have it, so that the hashes of older rows stay what they are.
 */
export function chainHash(previousHash: string, row: ChainedRow): string {
  return hash(
    "sha256",
    JSON.stringify([
      previousHash,
      row.seq,
      row.type,
      row.peerId,
      row.did,
      row.atMs,
      row.source,
      row.dedupeKey,
      row.causeSeq,
      row.effect,
      row.supersededPeerId,
      row.subject,
      row.resourceId,
      row.name,
      row.relation,
      row.standing,
      row.address,
      row.protocol,
      row.direction,
      row.reason,
      row.message,
      row.payloadBytes,
      row.payloadSha256,
      row.payloadEncoding,
      row.storedSha256,
      row.streamSequence,
      row.lastStreamSequence,
    ]),
    "hex",
  );
}
