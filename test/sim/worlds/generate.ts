/** Generates a world from a seed. Pure. */
import type { Fixture } from "../../../src/fixture/format/schema.ts";
import type { Mix } from "./faults.ts";
import { generateLarge } from "./large.ts";
import { generateSeveral } from "./several.ts";
import { generateSmall } from "./small.ts";

/**
 * `small`: 3 to 5 peers and 90 s. `large`: some twenty peers and ten minutes. `several`: two or three daemons and a minute. `mixed`: of
 * ten worlds, one is large, one has several daemons, and the others are small.
 */
export const SIZES = ["small", "large", "several", "mixed"] as const;
export type Size = (typeof SIZES)[number];
export const DEFAULT_SIZE = "mixed" satisfies Size;

/** How a world is drawn. `mix` replaces the kinds of faults, except those of large worlds. */
export interface Drawing {
  readonly size: Size;
  readonly mix?: Mix;
}

/** One in this many mixed worlds is large. */
const LARGE_EVERY = 10;
/** The last digit of the seeds of mixed worlds with several daemons. */
const SEVERAL_AT = 5;

/** The same seed, size and mix give the same world. */
export function generate(seed: number, { size, mix }: Drawing): Fixture {
  const digit = size === "mixed" ? seed % LARGE_EVERY : undefined;
  if (size === "large" || digit === 0) return generateLarge(seed);
  if (size === "several" || digit === SEVERAL_AT) return generateSeveral(seed, mix);
  return generateSmall(seed, mix);
}
