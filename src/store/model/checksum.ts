/** A checksum for rows that are not in the chain: it tells a damaged row, and an edit by somebody who does not know of it. Pure. */
import { hash } from "node:crypto";

const CHECKSUM_CHARS = 16;

/** The first 64 bits of the SHA-256, in hex, over the values, in order. */
export function checksumOf(values: readonly (string | number | null)[]): string {
  return hash("sha256", JSON.stringify(values), "hex").slice(0, CHECKSUM_CHARS);
}
