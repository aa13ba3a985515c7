/** Checksum for rows outside the chain: it detects a damaged row, and a manual edit that does not recompute it. Pure. */
import { hash } from "node:crypto";

const CHECKSUM_CHARS = 16;

/** The first 64 bits of the SHA-256, in lower-case hex, over the JSON array of `values`. */
export function checksumOf(values: readonly (string | number | null)[]): string {
  return hash("sha256", JSON.stringify(values), "hex").slice(0, CHECKSUM_CHARS);
}
