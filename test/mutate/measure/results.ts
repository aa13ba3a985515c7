/** The outcomes of mutants, and the file that keeps it from run to run. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Mutant } from "../mutants.ts";
import type { How } from "../runner/messages.ts";

export type Outcome =
  | { readonly kind: "caught"; readonly testFile: string; readonly test: string; readonly how: How }
  | { readonly kind: "survived" }
  /** No test runs the place at all. */
  | { readonly kind: "unreached" };

/** By the number of the mutant. Mutants without an outcome have not been run, or not against all tests. */
export type Outcomes = ReadonlyMap<number, Outcome>;

interface Kept {
  readonly key: string;
  readonly outcome: Outcome;
}

/** Names a mutant without its line number: place, operator, change, and which of several like it. */
function keysOf(mutants: readonly Mutant[]): ReadonlyMap<number, string> {
  const counts = new Map<string, number>();
  return new Map(
    mutants.map(({ id, path, operator, lineText, change }) => {
      const place = [path, operator, change, lineText].join(" | ");
      const count = (counts.get(place) ?? 0) + 1;
      counts.set(place, count);
      return [id, `${place} | ${count}`];
    }),
  );
}

/** The outcomes in `file` of mutants that still exist. Empty if there is no such file. */
export function readOutcomes(file: string, mutants: readonly Mutant[]): Map<number, Outcome> {
  if (!existsSync(file)) return new Map();
  const kept = JSON.parse(readFileSync(file, "utf8")) as readonly Kept[];
  const byKey = new Map(kept.map(({ key, outcome }) => [key, outcome]));
  const found = [...keysOf(mutants)].flatMap(([id, key]): [number, Outcome][] => {
    const outcome = byKey.get(key);
    return outcome === undefined ? [] : [[id, outcome]];
  });
  return new Map(found);
}

export function writeOutcomes(file: string, mutants: readonly Mutant[], outcomes: Outcomes): void {
  const kept = [...keysOf(mutants)].flatMap(([id, key]): Kept[] => {
    const outcome = outcomes.get(id);
    return outcome === undefined ? [] : [{ key, outcome }];
  });
  writeFileSync(file, `[\n${kept.map((one) => JSON.stringify(one)).join(",\n")}\n]\n`);
}
