/** What the log keeps of a message's bytes. */
import { isUtf8 } from "node:buffer";
import { hash } from "node:crypto";

/** A peer record is under 2 KiB. What is longer is kept in part, and the hash still tells the whole. */
const STORED_PAYLOAD_BYTES = 64 * 1024;

/** UTF-8 needs up to four bytes for a character, so a cut leaves at most three of one behind. */
const LONGEST_PARTIAL_CHARACTER_BYTES = 3;

export interface StoredPayload {
  /** The first 64 KiB, or up to three bytes less where text would be cut within a character. */
  readonly payload: Buffer;
  readonly payloadBytes: number;
  readonly payloadSha256: string;
  /** The hash of `payload`, which is the same where all of the message is stored. */
  readonly storedSha256: string;
  readonly payloadEncoding: "utf8" | "binary";
}

export function storedPayload(bytes: Uint8Array, sha256?: string): StoredPayload {
  const kept = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, STORED_PAYLOAD_BYTES));
  const text = longestText(kept, bytes.byteLength > kept.byteLength ? LONGEST_PARTIAL_CHARACTER_BYTES : 0);
  const payload = text ?? kept;
  const payloadSha256 = sha256 ?? hash("sha256", bytes, "hex");
  return {
    payload,
    payloadBytes: bytes.byteLength,
    payloadSha256,
    storedSha256: payload.byteLength === bytes.byteLength ? payloadSha256 : hash("sha256", payload, "hex"),
    payloadEncoding: text === undefined ? "binary" : "utf8",
  };
}

/** The hash of a payload as it is stored. */
export function storedSha256Of(payload: Uint8Array | null): string | null {
  return payload === null ? null : hash("sha256", payload, "hex");
}

/** `kept`, less at most `spareBytes`, where that is text for SQL: valid UTF-8 without NUL, at which SQL functions and shells end a text. */
function longestText(kept: Buffer, spareBytes: number): Buffer | undefined {
  if (kept.includes(0)) return undefined;
  for (let cut = 0; cut <= spareBytes; cut++) {
    const text = kept.subarray(0, kept.byteLength - cut);
    if (isUtf8(text)) return text;
  }
  return undefined;
}

/** Whether a message of `bytes` is stored in a part of `storedBytes`. */
export function isPartOfMessage(storedBytes: number, bytes: number): boolean {
  return (
    bytes > STORED_PAYLOAD_BYTES &&
    storedBytes <= STORED_PAYLOAD_BYTES &&
    storedBytes >= STORED_PAYLOAD_BYTES - LONGEST_PARTIAL_CHARACTER_BYTES
  );
}
