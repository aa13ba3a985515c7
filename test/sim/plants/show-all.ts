/** Runs the fixture of every planted bug with and without the bug; prints one JSON line each. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseFixture } from "../../../src/fixture/format/parse.ts";
import type { Fixture } from "../../../src/fixture/format/schema.ts";
import { loadSimulate, SIMULATOR } from "../simulator.ts";
import { PLANTS } from "./all.ts";
import type { Plant } from "./plant.ts";

/** The invariants that a plant's fixture violates, without the bug (`sound`) and with it (`broken`). */
export interface Shown {
  readonly plant: string;
  readonly lines: number;
  readonly sound: readonly string[];
  readonly broken: readonly string[];
}

const FIXTURES = join(import.meta.dirname, "fixtures");

async function invariantsOf(fixture: Fixture, plant: Plant | undefined): Promise<string[]> {
  const simulate = await loadSimulate(SIMULATOR, plant);
  const { violations } = await simulate(fixture);
  return [...new Set(violations.map(({ invariant }) => invariant))];
}

for (const plant of PLANTS) {
  const path = join(FIXTURES, `${plant.name}.jsonl`);
  const fixture = existsSync(path) ? parseFixture(readFileSync(path, "utf8"), path) : undefined;
  const shown: Shown = {
    plant: plant.name,
    lines: fixture === undefined ? 0 : fixture.lines.length + 1,
    sound: fixture === undefined ? [] : await invariantsOf(fixture, undefined),
    broken: fixture === undefined ? [] : await invariantsOf(fixture, plant),
  };
  process.stdout.write(`${JSON.stringify(shown)}\n`);
}
