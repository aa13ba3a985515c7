/** Which tests run for which mutant: only those that reach it, the quick ones first. Pure. */
import type { FilePlan, FileRecord, PlannedMutant } from "../runner/messages.ts";
import type { Ledger } from "./settle.ts";

/** A test has caught the mutant if it takes this many times as long as without, and this much longer. */
const TIMES_AS_LONG = 10;
const LONGER_MS = 4_000;

/** One plan per test file, the quickest file first. */
export function plansOf(records: readonly FileRecord[], ledger: Pick<Ledger, "isOpen" | "keepsModules">): readonly FilePlan[] {
  return records
    .filter(({ problem }) => problem === null)
    .toSorted((a, b) => costOf(a) - costOf(b))
    .map((record) => {
      const { testFile } = record;
      const mutants = plannedOf(record, (id) => ledger.isOpen(testFile, id));
      return { testFile, keepsModules: ledger.keepsModules(testFile), mutants };
    })
    .filter(({ mutants }) => mutants.length > 0);
}

/** All mutants that a test reaches. */
export function reachedBy(records: readonly FileRecord[]): ReadonlySet<number> {
  const sound = records.filter(({ problem }) => problem === null);
  return new Set(sound.flatMap((record) => [...idsOf(record)]));
}

function plannedOf(record: FileRecord, isOpen: (id: number) => boolean): readonly PlannedMutant[] {
  const passing = record.tests.filter(({ passed }) => passed);
  const shared = new Set(record.shared);
  const reached = passing.map((test) => ({ test, ids: new Set(test.reached) }));
  return [...idsOf(record)]
    .filter(isOpen)
    .map((id) => {
      const tests = shared.has(id) ? passing : reached.filter(({ ids }) => ids.has(id)).map(({ test }) => test);
      const limitMs = Math.ceil(LONGER_MS + TIMES_AS_LONG * Math.max(0, ...tests.map(({ ms }) => ms)));
      return { id, isShared: shared.has(id), tests: tests.map(({ id: test }) => test), limitMs };
    })
    .filter(({ tests }) => tests.length > 0);
}

function idsOf({ shared, tests }: FileRecord): ReadonlySet<number> {
  return new Set([...shared, ...tests.flatMap(({ passed, reached }) => (passed ? reached : []))]);
}

/** A survivor costs the time of all tests that reach it, and most mutants are reached by few tests of a file. */
function costOf({ tests }: FileRecord): number {
  return tests.reduce((sum, { ms }) => sum + ms, 0);
}
