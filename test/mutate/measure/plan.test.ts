import { describe, expect, test } from "vitest";
import type { FileRecord, TestRecord } from "../runner/messages.ts";
import { plansOf, reachedBy } from "./plan.ts";

const ran = (id: string, ms: number, reached: readonly number[], passed = true): TestRecord => ({
  id,
  name: id,
  ms,
  passed,
  reached,
});

const record = (testFile: string, tests: readonly TestRecord[], shared: readonly number[] = []): FileRecord => ({
  testFile,
  problem: null,
  shared,
  tests,
});

const OPEN: Parameters<typeof plansOf>[1] = { isOpen: () => true, keepsModules: (testFile) => testFile !== "slow" };

describe("the plan", () => {
  test("runs for a mutant only the passing tests that reach it, quick files first", () => {
    const slow = record("slow", [ran("s1", 900, [1, 2])]);
    const quick = record("quick", [ran("q1", 10, [1]), ran("q2", 20, [2]), ran("q3", 1, [1], false)]);
    expect(plansOf([slow, quick], OPEN, 1_000)).toEqual([
      {
        testFile: "quick",
        keepsModules: true,
        mutants: [
          { id: 1, isShared: false, tests: ["q1"], limitMs: 4_100 },
          { id: 2, isShared: false, tests: ["q2"], limitMs: 4_200 },
        ],
      },
      {
        testFile: "slow",
        keepsModules: false,
        mutants: [
          { id: 1, isShared: false, tests: ["s1"], limitMs: 13_000 },
          { id: 2, isShared: false, tests: ["s1"], limitMs: 13_000 },
        ],
      },
    ]);
  });

  test("runs all tests of a file for what it reaches while it is loaded", () => {
    const [plan] = plansOf([record("a", [ran("a1", 0, []), ran("a2", 0, [])], [7])], OPEN, 1_000);
    expect(plan?.mutants).toEqual([{ id: 7, isShared: true, tests: ["a1", "a2"], limitMs: 4_000 }]);
  });

  test("leaves out the slowest tests of a file that would run for too long", () => {
    const tests = [ran("a1", 900, [1]), ran("a2", 40, [1]), ran("a3", 50, [1]), ran("a4", 100, [2])];
    const [plan] = plansOf([record("a", tests)], OPEN, 99);
    expect(plan?.mutants.map(({ id, tests: run }) => [id, run])).toEqual([[1, ["a2", "a3"]]]);
  });

  test("leaves out what is settled, and files that fail without a mutant", () => {
    const broken = { ...record("broken", [ran("b1", 0, [3])]), problem: "it fails" };
    const sound = record("sound", [ran("s1", 0, [1, 2])]);
    const plans = plansOf([broken, sound], { ...OPEN, isOpen: (_, id) => id !== 1 }, 1_000);
    expect(plans.map(({ testFile, mutants }) => [testFile, mutants.map(({ id }) => id)])).toEqual([["sound", [2]]]);
    expect(reachedBy([broken, sound])).toEqual(new Set([1, 2]));
  });
});
