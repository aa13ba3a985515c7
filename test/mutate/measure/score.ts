/** Counts caught mutants and survivors, and matches survivors with explanations. Pure. */

import { WORLDS } from "../catchers.ts";
import type { Explanation } from "../explained.ts";
import type { Mutant } from "../mutants.ts";
import type { Outcome, Outcomes } from "./results.ts";

export const CATCHERS = ["unit", "contract", "simulator", "daemons"] as const;
type Catcher = (typeof CATCHERS)[number];

export interface Tally {
  readonly mutants: number;
  readonly caught: Readonly<Record<Catcher, number>>;
  readonly equivalent: number;
  readonly survivors: number;
  /** Caught, of all that are not equivalent; NaN if there are none. */
  readonly score: number;
}

export interface Survivor {
  readonly mutant: Mutant;
  readonly reached: boolean;
  readonly explanation: Explanation | undefined;
}

function catcherOf(testFile: string): Catcher {
  if (testFile === WORLDS) return "simulator";
  if (testFile.startsWith("test/contract/")) return "contract";
  return /^test\/(integration|e2e)\//.test(testFile) ? "daemons" : "unit";
}

function explanationOf(mutant: Mutant, explained: readonly Explanation[]): Explanation | undefined {
  return explained.find((one) => explains(one, mutant));
}

const explains = ({ path, operator, line, change }: Explanation, mutant: Mutant): boolean =>
  path === mutant.path &&
  operator === mutant.operator &&
  line === mutant.lineText &&
  (change === undefined || change === mutant.change);

/** Explanations that fit no mutant. */
export function staleOf(mutants: readonly Mutant[], explained: readonly Explanation[]): readonly Explanation[] {
  return explained.filter((one) => !mutants.some((mutant) => explains(one, mutant)));
}

/** Explanations of which every mutant is caught. */
export function needlessOf(
  mutants: readonly Mutant[],
  outcomes: Outcomes,
  explained: readonly Explanation[],
): readonly Explanation[] {
  return explained.filter((one) => {
    const fitting = mutants.filter((mutant) => explains(one, mutant));
    return fitting.length > 0 && fitting.every(({ id }) => outcomes.get(id)?.kind === "caught");
  });
}

export function survivorsOf(
  mutants: readonly Mutant[],
  outcomes: Outcomes,
  explained: readonly Explanation[],
): readonly Survivor[] {
  return mutants.flatMap((mutant) => {
    const outcome = outcomes.get(mutant.id);
    if (outcome === undefined || outcome.kind === "caught") return [];
    return [{ mutant, reached: outcome.kind === "survived", explanation: explanationOf(mutant, explained) }];
  });
}

/** Mutants without an outcome are left out. */
export function tally(mutants: readonly Mutant[], outcomes: Outcomes, explained: readonly Explanation[]): Tally {
  const known = mutants.filter(({ id }) => outcomes.has(id));
  const caughtBy = known.flatMap(({ id }) => catchersOf(outcomes.get(id)));
  const caught = Object.fromEntries(
    CATCHERS.map((catcher) => [catcher, caughtBy.filter((by) => by === catcher).length]),
  ) as Record<Catcher, number>;
  const survivors = survivorsOf(known, outcomes, explained);
  const equivalent = survivors.filter(({ explanation }) => explanation?.kind === "equivalent").length;
  return {
    mutants: known.length,
    caught,
    equivalent,
    survivors: survivors.length - equivalent,
    score: caughtBy.length / (known.length - equivalent),
  };
}

const catchersOf = (outcome: Outcome | undefined): readonly Catcher[] =>
  outcome?.kind === "caught" ? [catcherOf(outcome.testFile)] : [];
