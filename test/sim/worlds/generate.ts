/** Generates a world from a seed. Pure. */
import type { Fixture } from "../../../src/fixture/format/schema.ts";
import type { Mix } from "./faults.ts";
import { generateLarge } from "./large.ts";
import { generateSmall } from "./small.ts";

/** `small`: 3 to 5 peers and 90 s. `large`: some twenty peers and ten minutes. `mixed`: nine small worlds, then a large one. */
export const SIZES = ["small", "large", "mixed"] as const;
export type Size = (typeof SIZES)[number];
export const DEFAULT_SIZE = "mixed" satisfies Size;

/** How a world is drawn. `mix` replaces the kinds of faults of small worlds. */
export interface Drawing {
  readonly size: Size;
  readonly mix?: Mix;
}

/** One in this many mixed worlds is large. */
const LARGE_EVERY = 10;

/** The same seed, size and mix give the same world. */
export function generate(seed: number, { size, mix }: Drawing): Fixture {
  const isLarge = size === "large" || (size === "mixed" && seed % LARGE_EVERY === 0);
  return isLarge ? generateLarge(seed) : generateSmall(seed, mix);
}
