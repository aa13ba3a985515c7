/** Follows the nesting of JSON without parsing it, so that size and depth can be bounded before anything is parsed. Pure. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Tracks depth, strings and escapes over UTF-8 that may be cut anywhere. Whether the bytes are JSON is for a parser to say; for every
 * prefix that is JSON, which is all that a parser gets to read, the depth is exact.
 */
export class JsonScanner {
  readonly #maxDepth: number;
  #depth = 0;
  #inString = false;
  #isEscaped = false;

  constructor(maxDepth: number) {
    this.#maxDepth = maxDepth;
  }

  /** How many objects and arrays are open: more than 0 within a value. */
  get depth(): number {
    return this.#depth;
  }

  get isTooDeep(): boolean {
    return this.#depth > this.#maxDepth;
  }

  /** Reads on at `from` until an object or array of the top level ends, nesting is too deep, or the chunk is over. Returns where it stopped. */
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
