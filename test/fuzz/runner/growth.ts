/** Tells a heap that grows from one that fills its caches. */

/** Above the level of the warm-up. */
const MOST_GROWTH_BYTES = 32 * 1_048_576;
/** One measurement may be unlucky. */
const IN_A_ROW = 3;

export class GrowthWatch {
  readonly #warmUpMs: number;
  /** The highest level of the warm-up, and the last measurement. */
  #levelBytes = 0;
  #lastBytes = 0;
  #above = 0;

  /** Bounded caches fill in the first `warmUpMs`. */
  constructor(warmUpMs: number) {
    this.#warmUpMs = warmUpMs;
  }

  toString(): string {
    return `${mebibytes(this.#levelBytes)}, now ${mebibytes(this.#lastBytes)} MiB`;
  }

  /** Takes a measurement of the heap after a collection, `elapsedMs` after the start. Returns the growth if it is too much. */
  add(heapBytes: number, elapsedMs: number): number | undefined {
    this.#lastBytes = heapBytes;
    if (elapsedMs <= this.#warmUpMs) {
      this.#levelBytes = Math.max(this.#levelBytes, heapBytes);
      return undefined;
    }
    if (this.#levelBytes === 0) this.#levelBytes = heapBytes;
    const grown = heapBytes - this.#levelBytes;
    this.#above = grown > MOST_GROWTH_BYTES ? this.#above + 1 : 0;
    return this.#above >= IN_A_ROW ? grown : undefined;
  }
}

const mebibytes = (bytes: number): number => Math.round(bytes / 1_048_576);
