/** The first bytes of a connection tell whether its far end speaks libp2p, and whether it uses a pre-shared key. Pure. */
import { type Bytes, piecesOf } from "../muxer/intercept.ts";

/** Every libp2p host begins with this line: in clear, or encrypted after a nonce if it has a pre-shared key. */
const HEADER = Buffer.from("\x13/multistream/1.0.0\n", "latin1");
/** The nonce of a far end with a pre-shared key: random bytes. */
const NONCE_BYTES = 24;

/**
 * `multistream`: what every libp2p host sends. `nonce`: bytes that look random, as those of a far end with a pre-shared key.
 * `foreign`: another protocol, or a nonce that looks like one. `other`: one of the latter two, with too few bytes to say which.
 */
export type Beginning = "incomplete" | "multistream" | "other" | "nonce" | "foreign";

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
    if (isTls(seen) || isMysql(seen) || (this.#length >= MIN_TEXT_BYTES && isText(seen))) return "foreign";
    if (this.#length < NONCE_BYTES) return "other";
    return isRandom(seen) ? "nonce" : "foreign";
  }
}

/** Shorter text might be the part of a nonce that has arrived. */
const MIN_TEXT_BYTES = 8;

/** UTF-8 without control characters; its last character may be cut. */
function isText(bytes: Uint8Array): boolean {
  try {
    return !CONTROL.test(new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true }));
  } catch {
    return false;
  }
}

const CONTROL = /(?![\t\n\r])\p{Cc}/u;

/** A record of TLS 1.0 to 1.3, usually an alert: type, version 3.x, length. */
function isTls([type = 0, major, minor = 0, , last]: Uint8Array): boolean {
  return type >= 0x14 && type <= 0x17 && major === 3 && minor <= 4 && last !== undefined;
}

/** The first packet of a MySQL server: length (3), number 0, then protocol 10 or an error. */
function isMysql([, high, highest, packet, kind]: Uint8Array): boolean {
  return high === 0 && highest === 0 && packet === 0 && (kind === 0x0a || kind === 0xff);
}

/** About one nonce in 16,000 has more text, more zeros or more repetitions than this. Binary protocols have. */
const MAX_PRINTABLE = 18;
const MAX_ZEROS = 3;
const MIN_DISTINCT = 17;

function isRandom(bytes: Uint8Array): boolean {
  const count = (matches: (byte: number) => boolean) => bytes.filter(matches).length;
  if (count(isPrintable) > MAX_PRINTABLE || count((byte) => byte === 0) > MAX_ZEROS) return false;
  return new Set(bytes).size >= MIN_DISTINCT;
}

function isPrintable(byte: number): boolean {
  return (byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
