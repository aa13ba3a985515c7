/**
 * The chain: each row carries a hash over itself and the hash of the row before it, so the last hash proves that no row was edited,
 * inserted or deleted. Pure. docs/adr/0012-hash-chain.md says what it proves and what it cannot.
 */
import { hash } from "node:crypto";
import type { eventLog } from "../schema/log.ts";

/** The hash that the first row follows. */
export const CHAIN_START = "0".repeat(64);

/** A row's columns. The payload is represented by the hash of its stored part. */
type ChainedRow = Omit<typeof eventLog.$inferSelect, "payload" | "chainHash"> & {
  /** SHA-256 (hex) of the payload as stored, which is only a part of a long message; null if there is none. */
  readonly storedSha256: string | null;
};

/**
 * SHA-256, lower-case hex, over the JSON array of `previousHash` and all columns in the order below. A column added by a later schema
 * goes to a second list that only rows with a value in it use, so the hashes of older rows do not change.
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
      row.clockSetBackMs,
      row.source,
      row.claimedUser,
      row.dedupeKey,
      row.causeSeq,
      row.openedSeq,
      row.effect,
      row.generation,
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
      row.attempt,
      row.durationMs,
      row.durationClock,
      row.details,
      row.payloadBytes,
      row.payloadSha256,
      row.payloadEncoding,
      row.storedSha256,
      row.stream,
      row.streamCreated,
      row.streamSequence,
      row.lastStreamSequence,
    ]),
    "hex",
  );
}
