/** The simulator, sound or with a bug planted in it. */
import type { Fixture } from "../../src/fixture/format/schema.ts";
import type { SimResult, SimulateOptions } from "../../src/sim/simulate.ts";
import { directoryUrl, loadWith } from "./plants/load.ts";
import type { Plant } from "./plants/plant.ts";

const ROOT = directoryUrl(`${import.meta.dirname}/../..`);

/** Where `generate.ts` and `simulate.ts` are, unless a test brings its own. */
export const SIMULATOR = new URL("test/sim/worlds/", ROOT).href;

export type Simulate = (fixture: Fixture, options?: SimulateOptions) => Promise<SimResult>;

/** What a seed stands for. No bug is ever planted in it: the worlds are the same for all. */
export async function loadGenerate(simulator: string): Promise<(seed: number) => Fixture> {
  const module = (await import(new URL("generate.ts", simulator).href)) as { generate: (seed: number) => Fixture };
  return module.generate;
}

/** Throws where the bug cannot be planted. */
export async function loadSimulate(simulator: string, plant: Plant | undefined): Promise<Simulate> {
  const module = (await loadWith(plant, new URL("simulate.ts", simulator), ROOT)) as { simulate: Simulate };
  return module.simulate;
}
