/** A seeded random source. */
import type { Random } from "../../base/clock.ts";

/** A deterministic generator (mulberry32): the same seed gives the same numbers on every machine. `seed` is taken modulo 2^32. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const bytes = (length: number): Uint8Array => {
    const drawn = new Uint8Array(length);
    for (let index = 0; index < length; index++) drawn[index] = Math.floor(next() * 256);
    return drawn;
  };
  return { next, bytes };
}

/** A separate source for `purpose`, so that one part of a run does not affect the numbers that another draws. */
export function derivedRandom(seed: number, purpose: string): Random {
  let hash = (seed ^ 0x811c9dc5) >>> 0;
  for (let index = 0; index < purpose.length; index++) hash = Math.imul(hash ^ purpose.charCodeAt(index), 0x01000193) >>> 0;
  return seededRandom(hash);
}
