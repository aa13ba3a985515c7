/** The simulator as a test of mutants: the smallest fixture of each planted bug, which the sound program passes, and a few drawn worlds. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseFixture } from "../../../src/fixture/format/parse.ts";
import { generate } from "../../sim/worlds/generate.ts";
import { simulate } from "../../sim/worlds/simulate.ts";

const FIXTURES = join(import.meta.dirname, "../../sim/plants/fixtures");
const SEEDS = 12;

test.each(readdirSync(FIXTURES))("fixture %s", async (name) => {
  const { violations } = await simulate(parseFixture(readFileSync(join(FIXTURES, name), "utf8"), name));
  expect(violations).toEqual([]);
});

test.each(Array.from({ length: SEEDS }, (_, index) => index + 1))("seed %i", async (seed) => {
  const { violations } = await simulate(generate(seed, { size: "mixed" }));
  expect(violations).toEqual([]);
});
