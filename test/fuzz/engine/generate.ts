/** Makes the inputs of a target: mutated seeds, and structured ones from its arbitrary. */
import fc from "fast-check";
import type { Target } from "../target.ts";
import { Dice, seedOf } from "./dice.ts";
import { BYTE_MUTATIONS } from "./mutate-bytes.ts";
import { mutateJson } from "./mutate-json.ts";

/** Most inputs are short, since most faults need only a few bytes, and short ones run faster. */
const SHORT_BYTES = 8 * 1_024;
const LONG_BYTES = 256 * 1_024;
const SHARE_OF_LONG = 0.01;
const SHARE_OF_ARBITRARY = 0.2;
const SHARE_OF_RANDOM = 0.02;
/** After each mutation another one follows with this probability. */
const ONE_MORE = 0.6;

/** Input number `index` of a run with this seed: the same bytes each time, whichever inputs were made before. */
export function inputOf(target: Target, seeds: readonly Uint8Array[], seed: number, index: number): Uint8Array {
  const number = seedOf(seed, target.name, index);
  const dice = new Dice(number);
  const mostBytes = dice.chance(SHARE_OF_LONG) ? LONG_BYTES : SHORT_BYTES;
  if (dice.chance(SHARE_OF_RANDOM)) return dice.bytes(dice.length(512));
  const isArbitrary = target.arbitrary !== undefined && dice.chance(SHARE_OF_ARBITRARY);
  let input = isArbitrary ? sampleOf(target.arbitrary, number) : dice.pick(seeds);
  if (isArbitrary && dice.chance(0.5)) return new Uint8Array(input);
  const cap = Math.max(mostBytes, input.length);
  do {
    const mutate = target.isJson === true && dice.chance(0.6) ? mutateJson : dice.pick(BYTE_MUTATIONS);
    const next = mutate(input, dice.pick(seeds), dice);
    input = next.length > cap ? next.slice(0, cap) : next;
  } while (dice.chance(ONE_MORE));
  return new Uint8Array(input);
}

function sampleOf(arbitrary: fc.Arbitrary<Uint8Array>, seed: number): Uint8Array {
  const [sample] = fc.sample(arbitrary, { seed, numRuns: 1 });
  return sample ?? new Uint8Array();
}
