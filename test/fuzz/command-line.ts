/** The command line of `npm run fuzz`. */
import { availableParallelism } from "node:os";
import { Command, InvalidArgumentError } from "commander";
import { example } from "../../src/cli/terminal/flags.ts";
import { positive, whole } from "../support/numbers.ts";
import type { Target } from "./target.ts";
import { TARGETS } from "./targets/all.ts";

export interface FuzzCommand {
  readonly targets: readonly Target[];
  /** The files to run instead of generated inputs. */
  readonly files: readonly string[];
  readonly seed: number;
  readonly minutes: number;
  readonly inputs: number;
  readonly workers: number;
}

interface Flags {
  readonly minutes?: number;
  readonly inputs?: number;
  readonly target?: readonly Target[];
  readonly seed?: number;
  readonly workers: number;
  readonly input?: readonly string[];
}

const DEFAULT_MINUTES = 1;
const MOST_SEEDS = 2 ** 32;

/** Throws a CommanderError, which has been printed, for unknown input. */
export function parseCommandLine(argv: readonly string[]): FuzzCommand {
  const command = new Command("npm run fuzz --")
    .description(
      "Runs the code that reads foreign bytes with mutated and generated inputs, after all kept seeds. docs/FUZZING.md explains it.",
    )
    .option("--minutes <n>", `stop after this many minutes (default: ${DEFAULT_MINUTES}, or no limit with --inputs)`, minutes)
    .option("--inputs <n>", "stop after this many inputs of all targets together", positive)
    .option("--target <name>", "run only this target (repeatable)", targets)
    .option("--seed <n>", "seed of the inputs; the same seed gives the same inputs (default: random)", whole)
    .option("--workers <n>", "threads", positive, availableParallelism())
    .option("--input <file>", "run the bytes of this file, with --target (repeatable)", collect)
    .allowExcessArguments(false)
    .addHelpText(
      "after",
      example(
        "npm run fuzz -- --minutes 30",
        "npm run fuzz -- --inputs 1000000 --target heartbeat --seed 7",
        "npm run fuzz -- --target heartbeat --input test/fuzz/seeds/heartbeat/ours",
      ),
    )
    .exitOverride()
    .showHelpAfterError("(see npm run fuzz -- --help)");
  command.parse(argv, { from: "user" });
  const flags = command.opts<Flags>();
  const { input: files = [], target: chosen = TARGETS, inputs = Number.POSITIVE_INFINITY, workers } = flags;
  if (files.length > 0 && chosen.length !== 1) command.error("error: --input needs one --target");
  const unlimited = flags.inputs === undefined ? DEFAULT_MINUTES : Number.POSITIVE_INFINITY;
  const seed = flags.seed ?? Math.floor(Math.random() * MOST_SEEDS);
  return { targets: chosen, files, seed, minutes: flags.minutes ?? unlimited, inputs, workers };
}

const collect = (path: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), path];

function minutes(text: string): number {
  const number = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || number <= 0)
    throw new InvalidArgumentError("expected a number of minutes, such as 10 or 0.5");
  return number;
}

function targets(name: string, before: readonly Target[] | undefined): readonly Target[] {
  const target = TARGETS.find((known) => known.name === name);
  if (target !== undefined) return [...(before ?? []), target];
  throw new InvalidArgumentError(`expected one of ${TARGETS.map((known) => known.name).join(", ")}`);
}
