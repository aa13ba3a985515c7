/** The command line of `npm run mutate`. */
import { availableParallelism } from "node:os";
import { Command, InvalidArgumentError } from "commander";
import { example } from "../../src/cli/terminal/flags.ts";
import { positive, whole } from "../support/numbers.ts";

export interface MutateCommand {
  /** Files and folders below the root; empty for all areas. */
  readonly only: readonly string[];
  readonly changed: string | undefined;
  readonly sample: number | undefined;
  readonly seed: number;
  readonly minutes: number;
  readonly lanes: number;
  /** How long a test file may run for one mutant. */
  readonly mostSeconds: number;
  /** Test files and folders that may catch; empty for all that fit. */
  readonly tests: readonly string[];
  readonly allTests: boolean;
  /** Only tests in the folder that mirrors the mutated file's, and in those above it. */
  readonly near: boolean;
  readonly results: string | undefined;
  /** The lowest score, in percent, that exits with 0; undefined if no survivor may be unexplained. */
  readonly leastScore: number | undefined;
  readonly list: boolean;
  readonly write: boolean;
  readonly keep: boolean;
}

type Optional = "only" | "tests" | "minutes" | "changed" | "sample" | "results" | "leastScore";
type Flags = Omit<MutateCommand, Optional> & Partial<Pick<MutateCommand, Optional>>;

/** Throws a CommanderError, which has been printed, for unknown input. */
export function parseCommandLine(argv: readonly string[]): MutateCommand {
  const command = new Command("npm run mutate --")
    .description(
      "Changes the program in one small place at a time, and reports which tests notice. docs/MUTATIONS.md explains it. Changes only a copy.",
    )
    .option("--only <path>", "mutate only this file or folder (repeatable)", collect)
    .option("--changed <revision>", "mutate only lines that differ from this revision")
    .option("--sample <n>", "run only this many mutants, drawn at random", positive)
    .option("--seed <n>", "seed of the sample; the same seed draws the same mutants", whole, 1)
    .option("--minutes <n>", "stop after this many minutes (default: no limit)", minutes)
    .option("--lanes <n>", "test files that run at a time", positive, availableParallelism())
    .option("--most-seconds <n>", "how long a test file may run for one mutant; its slowest tests are left out", positive, 10)
    .option("--tests <path>", "let only this test file or folder catch mutants (repeatable)", collect)
    .option("--all-tests", "also run the tests of other areas and those that start daemons, which takes hours", false)
    .option("--near", "let only tests in the folders that mirror the mutated files, and above, catch mutants", false)
    .option("--results <file>", "keep the outcomes in this file, and run only mutants that it does not list as caught")
    .option("--least-score <percent>", "exit with 0 from this score on (default: only if every survivor is explained)", positive)
    .option("--list", "print the mutants and run none", false)
    .option("--write", "write the tables of docs/MUTATIONS.md", false)
    .option("--keep", "keep the copy and print its path", false)
    .allowExcessArguments(false)
    .addHelpText(
      "after",
      example(
        "npm run mutate -- --sample 300",
        "npm run mutate -- --only src/reconciler --tests test/reconciler",
        "npm run mutate -- --changed HEAD~1 --near --sample 20 --least-score 60",
        "npm run mutate -- --results mutations.json --write",
      ),
    )
    .exitOverride()
    .showHelpAfterError("(see npm run mutate -- --help)");
  command.parse(argv, { from: "user" });
  const { only = [], tests = [], minutes: limit = Number.POSITIVE_INFINITY, ...flags } = command.opts<Flags>();
  const { changed, sample, results, leastScore } = flags;
  return { ...flags, changed, sample, results, leastScore, only, tests, minutes: limit };
}

const collect = (path: string, before: readonly string[] | undefined): readonly string[] => [
  ...(before ?? []),
  path.replace(/\/+$/, ""),
];

function minutes(text: string): number {
  const number = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || number <= 0)
    throw new InvalidArgumentError("expected a number of minutes, such as 10 or 0.5");
  return number;
}
