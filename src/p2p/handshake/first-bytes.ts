/** The first bytes of a connection tell whether its far end uses a pre-shared key. Pure. */
import { type Bytes, piecesOf } from "../muxer/intercept.ts";

/** Every libp2p host begins with this line: in clear, or encrypted after a nonce if it has a pre-shared key. */
const HEADER = Buffer.from("\x13/multistream/1.0.0\n", "latin1");
/** The nonce of a far end with a pre-shared key: random bytes. */
const NONCE_BYTES = 24;

/**
 * `multistream`: what every libp2p host sends. `nonce`: random bytes, as a far end with a pre-shared key sends them. `text`: another
 * protocol. `other`: one of the latter two, with too few bytes to say which.
 */
export type Beginning = "incomplete" | "multistream" | "other" | "nonce" | "text";

export class FirstBytes {
  readonly #bytes = Buffer.alloc(NONCE_BYTES);
  #length = 0;

  add(bytes: Bytes): void {
    for (const piece of piecesOf(bytes)) {
      if (this.#length === NONCE_BYTES) return;
      const part = piece.subarray(0, NONCE_BYTES - this.#length);
      this.#bytes.set(part, this.#length);
      this.#length += part.length;
    }
  }

  get beginning(): Beginning {
    const seen = this.#bytes.subarray(0, this.#length);
    const common = Math.min(this.#length, HEADER.length);
    if (seen.subarray(0, common).equals(HEADER.subarray(0, common))) return common < HEADER.length ? "incomplete" : "multistream";
    if (this.#length < NONCE_BYTES) return "other";
    return seen.every(isPrintable) ? "text" : "nonce";
  }
}

function isPrintable(byte: number): boolean {
  return (byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
