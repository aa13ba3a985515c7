import { expect, test } from "vitest";
import { WORLDS } from "../catchers.ts";
import type { Explanation } from "../explained.ts";
import type { Mutant } from "../mutants.ts";
import type { Outcome } from "./results.ts";
import { needlessOf, staleOf, survivorsOf, tally } from "./score.ts";

const mutant = (id: number, lineText: string): Mutant => ({
  id,
  path: "src/store/a.ts",
  operator: "boundary",
  line: id,
  lineText,
  change: "< becomes <=",
});

const MUTANTS = [mutant(0, "a < b"), mutant(1, "c < d"), mutant(2, "e < f"), mutant(3, "g < h"), mutant(4, "i < j")];

const caughtBy = (testFile: string): Outcome => ({ kind: "caught", testFile, test: "one", how: "failed" });

const OUTCOMES = new Map<number, Outcome>([
  [0, caughtBy("test/store/a.test.ts")],
  [1, caughtBy(WORLDS)],
  [2, { kind: "survived" }],
  [3, { kind: "unreached" }],
]);

const explanation = (line: string, kind: Explanation["kind"] = "equivalent"): Explanation => ({
  path: "src/store/a.ts",
  operator: "boundary",
  line,
  kind,
  why: "Because.",
});

test("the score leaves out equivalent mutants and those that have not run, and counts accepted ones as survivors", () => {
  const caught = { unit: 1, contract: 0, simulator: 1, daemons: 0 };
  expect(tally(MUTANTS, OUTCOMES, [])).toEqual({ mutants: 4, caught, equivalent: 0, survivors: 2, score: 0.5 });
  expect(tally(MUTANTS, OUTCOMES, [explanation("e < f"), explanation("g < h", "accepted")])).toEqual({
    mutants: 4,
    caught,
    equivalent: 1,
    survivors: 1,
    score: 2 / 3,
  });
});

test("each survivor has its explanation, if there is one for its words", () => {
  const survivors = survivorsOf(MUTANTS, OUTCOMES, [explanation("e < f")]);
  expect(survivors.map(({ mutant: { id }, reached, explanation: found }) => [id, reached, found?.why])).toEqual([
    [2, true, "Because."],
    [3, false, undefined],
  ]);
});

test("explanations that fit nothing are stale, and those of caught mutants needless", () => {
  const all = [explanation("a < b"), explanation("e < f"), explanation("changed < since")];
  expect(staleOf(MUTANTS, all)).toEqual([explanation("changed < since")]);
  expect(needlessOf(MUTANTS, OUTCOMES, all)).toEqual([explanation("a < b")]);
});
