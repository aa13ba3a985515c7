import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PLANTS } from "../sim/plants/all.ts";
import { patched } from "../sim/plants/plant.ts";
import { CRASH_PLANTS, crashPlantOf } from "./plants.ts";

const ROOT = join(import.meta.dirname, "../..");

describe("every bug planted only by the crash campaign", () => {
  it.each(CRASH_PLANTS.map((plant) => [plant.name, plant] as const))("%s fits the current code", (_, plant) => {
    const source = readFileSync(join(ROOT, plant.file), "utf8");
    expect(patched(source, plant)).not.toBe(source);
    expect(crashPlantOf(plant.name)).toBe(plant);
  });

  it("has a name of its own, and a row in docs/CRASHES.md", () => {
    const names = [...PLANTS, ...CRASH_PLANTS].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const page = readFileSync(join(ROOT, "docs/CRASHES.md"), "utf8");
    for (const { name } of CRASH_PLANTS) expect(page).toContain(`| \`${name}\` |`);
    expect(crashPlantOf("toString")).toBeUndefined();
  });
});
