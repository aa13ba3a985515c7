/** The messages of the stream that must be in the log, as read from the server. */
import { hash } from "node:crypto";
import { decodeMessage } from "../../src/events/decode.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY } from "../../src/events/vocabulary.ts";
import type { Broker } from "./broker.ts";
import type { Expected } from "./compare.ts";

export class Mirror {
  #expected: Expected[] = [];
  #last = 0;

  /** The newest sequence read so far. */
  get last(): number {
    return this.#last;
  }

  get expected(): readonly Expected[] {
    return this.#expected;
  }

  /** Continues reading up to `last`. */
  async read(broker: Broker, last: number): Promise<void> {
    for await (const { sequence, subject, bytes } of broker.read(this.#last + 1, last)) {
      this.#last = sequence;
      if (decodeMessage({ subject, bytes }, DEFAULT_VOCABULARY, DEFAULT_LIMITS).kind === "ignored") continue;
      this.#expected.push({ sequence, subject, sha256: hash("sha256", bytes, "hex") });
    }
  }

  /** The messages after sequence `after`, up to and including `upTo`. */
  between(after: number, upTo: number): readonly Expected[] {
    const [first, end] = [this.#indexAfter(after), this.#indexAfter(upTo)];
    return this.#expected.slice(first, end);
  }

  /** Forgets messages after `last`: the server lost them and will reuse their sequences, or they are to be read again. */
  truncate(last: number): void {
    if (last >= this.#last) return;
    this.#expected = this.#expected.slice(0, this.#indexAfter(last));
    this.#last = last;
  }

  /** The index of the first message after `sequence`. */
  #indexAfter(sequence: number): number {
    let [low, high] = [0, this.#expected.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#expected[middle]?.sequence ?? 0) <= sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
