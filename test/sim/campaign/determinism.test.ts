/** A run is a function of its seed: equal in two processes, different for different seeds. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const SEEDS = 3;

function hashes(): readonly string[] {
  const args = [join(import.meta.dirname, "main.ts"), "--seeds", String(SEEDS), "--from", "1", "--hashes", "--workers", "1"];
  return execFileSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })
    .trim()
    .split("\n");
}

test("the same seeds give the same traces in two processes", () => {
  const first = hashes();
  expect(first).toHaveLength(SEEDS);
  expect(new Set(first.map((line) => line.split(" ")[1])).size).toBe(SEEDS);
  expect(hashes()).toEqual(first);
});
