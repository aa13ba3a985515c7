/** Loads the simulator, with or without a planted bug. */
import type { Fixture } from "../../src/fixture/format/schema.ts";
import type { SimResult, SimulateOptions } from "../../src/sim/simulate.ts";
import { directoryUrl, loadWith } from "./plants/load.ts";
import type { Plant } from "./plants/plant.ts";
import type { Drawing } from "./worlds/generate.ts";

const ROOT = directoryUrl(`${import.meta.dirname}/../..`);

/** The default directory of `generate.ts` and `simulate.ts`; tests may use another. */
export const SIMULATOR = new URL("test/sim/worlds/", ROOT).href;

export type Generate = (seed: number, drawing: Drawing) => Fixture;
export type Simulate = (fixture: Fixture, options?: SimulateOptions) => Promise<SimResult>;

/** Loads the world generator. It never has a bug planted, so that worlds are always the same. */
export async function loadGenerate(simulator: string): Promise<Generate> {
  const module = (await import(new URL("generate.ts", simulator).href)) as { generate: Generate };
  return module.generate;
}

/** Throws if the bug cannot be planted. */
export async function loadSimulate(simulator: string, plant: Plant | undefined): Promise<Simulate> {
  const module = (await loadWith(plant, new URL("simulate.ts", simulator), ROOT)) as { simulate: Simulate };
  return module.simulate;
}
