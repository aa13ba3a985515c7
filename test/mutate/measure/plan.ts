/** Which tests run for which mutant: only those that reach it, the quick ones first. Pure. */
import type { FilePlan, FileRecord, PlannedMutant, TestRecord } from "../runner/messages.ts";
import type { Ledger } from "./settle.ts";

/** A test has caught the mutant if it takes this many times as long as without, and this much longer. */
const TIMES_AS_LONG = 10;
const LONGER_MS = 4_000;

/** One plan per test file, the quickest file first. No file runs for more than `mostMs` for one mutant. */
export function plansOf(
  records: readonly FileRecord[],
  ledger: Pick<Ledger, "isOpen" | "keepsModules">,
  mostMs: number,
): readonly FilePlan[] {
  return records
    .filter(({ problem }) => problem === null)
    .toSorted((a, b) => costOf(a) - costOf(b))
    .map((record) => {
      const { testFile } = record;
      const mutants = plannedOf(record, (id) => ledger.isOpen(testFile, id), mostMs);
      return { testFile, keepsModules: ledger.keepsModules(testFile), mutants };
    })
    .filter(({ mutants }) => mutants.length > 0);
}

/** All mutants that a test reaches. */
export function reachedBy(records: readonly FileRecord[]): ReadonlySet<number> {
  const sound = records.filter(({ problem }) => problem === null);
  return new Set(sound.flatMap((record) => [...idsOf(record)]));
}

function plannedOf(record: FileRecord, isOpen: (id: number) => boolean, mostMs: number): readonly PlannedMutant[] {
  const passing = record.tests.filter(({ passed }) => passed).toSorted((one, other) => one.ms - other.ms);
  const shared = new Set(record.shared);
  const reached = passing.map((test) => ({ test, ids: new Set(test.reached) }));
  return [...idsOf(record)]
    .filter(isOpen)
    .map((id) => {
      const all = shared.has(id) ? passing : reached.filter(({ ids }) => ids.has(id)).map(({ test }) => test);
      const tests = within(mostMs, all);
      const limitMs = Math.ceil(LONGER_MS + TIMES_AS_LONG * Math.max(0, ...tests.map(({ ms }) => ms)));
      return { id, isShared: shared.has(id), tests: tests.map(({ id: test }) => test), limitMs };
    })
    .filter(({ tests }) => tests.length > 0);
}

/** The first of `tests`, which together take no longer than `mostMs`. */
function within(mostMs: number, tests: readonly TestRecord[]): readonly TestRecord[] {
  let sumMs = 0;
  return tests.filter(({ ms }) => {
    sumMs += ms;
    return sumMs <= mostMs;
  });
}

function idsOf({ shared, tests }: FileRecord): ReadonlySet<number> {
  return new Set([...shared, ...tests.flatMap(({ passed, reached }) => (passed ? reached : []))]);
}

/** A survivor costs the time of all tests that reach it, and most mutants are reached by few tests of a file. */
function costOf({ tests }: FileRecord): number {
  return tests.reduce((sum, { ms }) => sum + ms, 0);
}
