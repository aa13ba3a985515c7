/** The part of a message's bytes that the log stores. */
import { isUtf8 } from "node:buffer";
import { hash } from "node:crypto";

/** A peer record is under 2 KiB. Longer messages are truncated; the hash still covers all of the message. */
const STORED_PAYLOAD_BYTES = 64 * 1024;

/** A UTF-8 character has up to four bytes, so a cut leaves at most three bytes of one. */
const LONGEST_PARTIAL_CHARACTER_BYTES = 3;

export interface StoredPayload {
  /** The first 64 KiB, or up to three bytes less to avoid splitting a character. */
  readonly payload: Buffer;
  readonly payloadBytes: number;
  readonly payloadSha256: string;
  /** The hash of `payload`; equals `payloadSha256` if all of the message is stored. */
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

/** The hash of a payload as stored. */
export function storedSha256Of(payload: Uint8Array | null): string | null {
  return payload === null ? null : hash("sha256", payload, "hex");
}

/**
 * The longest prefix of `kept`, at most `spareBytes` shorter, that SQL can show as text: valid UTF-8 without NUL, which ends text
 * in SQL functions and shells.
 */
function longestText(kept: Buffer, spareBytes: number): Buffer | undefined {
  if (kept.includes(0)) return undefined;
  for (let cut = 0; cut <= spareBytes; cut++) {
    const text = kept.subarray(0, kept.byteLength - cut);
    if (isUtf8(text)) return text;
  }
  return undefined;
}

/** True if `storedBytes` is a possible length for the stored part of a message of `bytes`. */
export function isPartOfMessage(storedBytes: number, bytes: number): boolean {
  return (
    bytes > STORED_PAYLOAD_BYTES &&
    storedBytes <= STORED_PAYLOAD_BYTES &&
    storedBytes >= STORED_PAYLOAD_BYTES - LONGEST_PARTIAL_CHARACTER_BYTES
  );
}
