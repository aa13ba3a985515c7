/** Random draws for generating worlds. Deterministic for a given random source. */
import type { Random } from "../../../src/base/clock.ts";
import { derivedRandom } from "../../../src/sim/time/random.ts";

export type Draw = ReturnType<typeof drawer>;

export function drawer(random: Random) {
  const between = (least: number, most: number) => least + Math.floor(random.next() * (most - least + 1));
  return {
    between,
    /** A number in [0, 1). */
    fraction: () => random.next(),
    chance: (probability: number) => random.next() < probability,
    one: <Value>(values: readonly [Value, ...Value[]]): Value => values[between(0, values.length - 1)] ?? values[0],
    /** Times of a Poisson process up to `untilMs`, in whole ms. */
    *times(fromMs: number, meanMs: number, untilMs: number): Generator<number> {
      for (let atMs = fromMs; ; ) {
        atMs += 1 + Math.floor(-Math.log(1 - random.next()) * meanMs);
        if (atMs >= untilMs) return;
        yield atMs;
      }
    },
  };
}

/** Whether the daemon of this world keeps a head file. Its own random source: the rest of the world is the same with and without it. */
export function keepsHead(seed: number): boolean {
  return drawer(derivedRandom(seed, "head file")).chance(0.5);
}
