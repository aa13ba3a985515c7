/** Random choices for inputs: the same seed gives the same choices on every machine. */
import type { Random } from "../../../src/base/clock.ts";
import { seededRandom } from "../../../src/sim/time/random.ts";

export class Dice {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** A whole number from 0 to `below` - 1; 0 if `below` is 0. */
  below(below: number): number {
    return Math.floor(this.#random.next() * below);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.#random.next() < probability;
  }

  /** One of `items`. Throws if there are none. */
  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  /** A length of at most `most`: short ones are likelier, so that most mutations stay small. */
  length(most: number): number {
    return Math.floor(most ** this.#random.next());
  }
}

/** The seed of input number `index` of `target`, so that each input can be made alone. */
export function seedOf(seed: number, target: string, index: number): number {
  let hash = (seed ^ 0x811c9dc5) >>> 0;
  for (let at = 0; at < target.length; at++) hash = Math.imul(hash ^ target.charCodeAt(at), 0x01000193) >>> 0;
  // Otherwise neighbouring inputs would begin with similar numbers.
  hash = Math.imul(hash ^ index, 0x9e3779b1) >>> 0;
  return (hash ^ (hash >>> 15)) >>> 0;
}
