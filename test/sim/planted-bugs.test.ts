/** Each planted bug is caught by its fixture, which passes without the bug. `npm run sim -- --plants --write` rewrites the fixtures. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PLANTS } from "./plants/all.ts";
import type { Shown } from "./plants/show-all.ts";

const MOST_LINES = 10;

test("every planted bug is caught by a fixture of at most ten lines that the sound program passes", () => {
  const output = execFileSync(process.execPath, [join(import.meta.dirname, "plants/show-all.ts")], { encoding: "utf8" });
  const all = output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Shown);
  expect(all.map(({ plant }) => plant)).toEqual(PLANTS.map(({ name }) => name));
  const wrong = all.filter(({ lines, sound, broken }) => {
    const onlyBroken = broken.filter((invariant) => !sound.includes(invariant));
    return lines === 0 || lines > MOST_LINES || onlyBroken.length === 0;
  });
  expect(wrong).toEqual([]);
});
