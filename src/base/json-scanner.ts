/** Tracks JSON nesting without parsing, so that size and depth can be limited before parsing. Pure. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Tracks depth, strings and escapes over UTF-8 chunks that may be split anywhere. Does not check that the bytes are JSON, but the
 * depth is exact for every prefix of valid JSON, and a parser reads no further than that.
 */
export class JsonScanner {
  readonly #maxDepth: number;
  #depth = 0;
  #inString = false;
  #isEscaped = false;

  constructor(maxDepth: number) {
    this.#maxDepth = maxDepth;
  }

  /** Number of open objects and arrays; 0 between top-level values. */
  get depth(): number {
    return this.#depth;
  }

  get isTooDeep(): boolean {
    return this.#depth > this.#maxDepth;
  }

  /**
   * Scans from `from` until a top-level object or array ends, nesting is too deep, or the chunk ends. Returns the offset after
   * the last byte read.
   */
  scan(chunk: Uint8Array, from: number): number {
    let depth = this.#depth;
    let inString = this.#inString;
    let isEscaped = this.#isEscaped;
    let at = from;
    while (at < chunk.length) {
      const byte = chunk[at++];
      if (inString) {
        if (isEscaped) isEscaped = false;
        else if (byte === BACKSLASH) isEscaped = true;
        else if (byte === QUOTE) inString = false;
      } else if (byte === QUOTE) inString = true;
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (++depth > this.#maxDepth) break;
      } else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) break;
    }
    this.#depth = depth;
    this.#inString = inString;
    this.#isEscaped = isEscaped;
    return at;
  }
}
