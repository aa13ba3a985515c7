/** The command line of `npm run sim`. */
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { Command, Option } from "commander";
import { PartnerdError } from "../../../src/base/errors.ts";
import { nearest } from "../../../src/base/nearest.ts";
import { example } from "../../../src/cli/terminal/flags.ts";
import { positive, whole } from "../../support/numbers.ts";
import { PLANTS, plantOf } from "../plants/all.ts";
import { directoryUrl } from "../plants/load.ts";
import type { Plant } from "../plants/plant.ts";
import { SIMULATOR } from "../simulator.ts";
import { FAULT_KINDS, parseMix } from "../worlds/faults.ts";
import { DEFAULT_SIZE, type Drawing, SIZES, type Size } from "../worlds/generate.ts";

interface Common {
  readonly json: boolean;
  readonly out: string;
  readonly hangMs: number;
  readonly workers: number;
  readonly simulator: string;
}

export type SimCommand =
  | (Common & {
      readonly kind: "seeds";
      readonly seeds: number;
      readonly from: number;
      readonly drawing: Drawing;
      readonly plant: Plant | undefined;
      readonly twiceEvery: number;
      readonly keepGoing: boolean;
      readonly hashes: boolean;
      /** Measure which code the worlds reach, and steer them by it. */
      readonly coverage: boolean;
      /** With `coverage`: write the document. */
      readonly write: boolean;
    })
  /** `plants`: the bugs to hunt. */
  | (Common & {
      readonly kind: "plants";
      readonly seeds: number;
      readonly from: number;
      readonly drawing: Drawing;
      readonly plants: readonly Plant[];
      readonly write: boolean;
    })
  | (Common & { readonly kind: "replay"; readonly file: string; readonly plant: Plant | undefined });

const DEFAULT_SEEDS = 2_000;
/** The rarest planted bug shows within half of them. */
const DEFAULT_SEEDS_OF_A_HUNT = 8_000;

interface Flags {
  seeds?: number;
  from?: number;
  size?: Size;
  mix?: string;
  plant?: string[];
  plants: boolean;
  replay?: string;
  workers: number;
  twiceEvery?: number;
  keepGoing: boolean;
  hashes: boolean;
  coverage: boolean;
  json: boolean;
  write: boolean;
  out: string;
  hangAfter: number;
  simulator?: string;
}

/** Throws a CommanderError, which has been printed, for unknown input, and a usage error for options that cannot be combined. */
export function parseCommandLine(argv: readonly string[]): SimCommand {
  const command = new Command("npm run sim --")
    .description("Runs simulated worlds and checks the invariants. Each seed gives one world, the same every time.")
    .option(
      "--seeds <n>",
      `number of seeds to run (default: ${DEFAULT_SEEDS}); with --plants: the maximum for each bug (default: ${DEFAULT_SEEDS_OF_A_HUNT})`,
      positive,
    )
    .option("--from <seed>", "first seed (default: 1)", whole)
    .addOption(
      new Option(
        "--size <size>",
        "small: 3 to 5 peers, 90 s and a few kinds of faults; large: some 20 peers and ten minutes; several: 2 or 3 daemons of ours and no scripted peers; mixed: of ten, one is large and one has several daemons (default: mixed)",
      ).choices(SIZES),
    )
    .option(
      "--mix <kinds>",
      `draw worlds with these faults (small ones, or --size several), comma-separated, or none: ${FAULT_KINDS.join(", ")}`,
    )
    .option("--plant <name>", "plant this bug in the code; with --plants: hunt only this bug (repeatable)", collect)
    .option("--plants", "check that every planted bug is caught, and print the table", false)
    .option(
      "--write",
      "with --plants: write the rows of the hunted bugs to docs/PLANTED-BUGS.md, and their fixtures; with --coverage: write docs/SIM-COVERAGE.md",
      false,
    )
    .option("--replay <file>", "run this fixture and print its violations")
    .option("--workers <n>", "threads", positive, availableParallelism())
    .option("--twice-every <n>", "run every n-th seed twice and compare the traces, 0 for none (default: 20)", whole)
    .option("--keep-going", "do not stop after violations of three different invariants", false)
    .option("--hashes", "print seed and trace hash, one per line, to compare two processes", false)
    .option(
      "--coverage",
      "list the code of reconciler, ingest, p2p and store that no world reaches, and fail if some of it has no reason; draw faults whose worlds reach new code more often",
      false,
    )
    .option("--json", "print the result as JSON", false)
    .option("--out <dir>", "directory for fixtures of failures", ".")
    .option("--hang-after <seconds>", "abandon a run whose simulated time does not advance for this long", positive, 60)
    .addOption(new Option("--simulator <dir>", "directory with generate.ts and simulate.ts").hideHelp())
    .allowExcessArguments(false)
    .addHelpText(
      "after",
      example(
        "npm run sim -- --seeds 20000",
        "npm run sim -- --seeds 1 --from 4711             # rerun one failed world",
        "npm run sim -- --seeds 200 --hashes > a.txt      # repeat for b.txt, then diff",
        "npm run sim -- --coverage --seeds 3000 --write",
        "npm run sim -- --plants --write",
        "npm run sim -- --plants --write --plant dials-itself   # one row",
        "npm run sim -- --seeds 500 --plant wake-forgotten",
        "npm run sim -- --replay sim-failure-4711.jsonl --plant wake-forgotten",
      ),
    )
    .exitOverride()
    .showHelpAfterError("(see npm run sim -- --help)");
  command.parse(argv, { from: "user" });
  return commandOf(command.opts<Flags>());
}

function commandOf(flags: Flags): SimCommand {
  const { json, out, workers, hangAfter } = flags;
  const simulator = flags.simulator === undefined ? SIMULATOR : directoryUrl(resolve(flags.simulator)).href;
  const common: Common = { json, out: resolve(out), workers, hangMs: hangAfter * 1_000, simulator };
  const plants = (flags.plant ?? []).map(named);
  const drawing = drawingOf(flags);
  const { seeds, from = 1, twiceEvery = 20, keepGoing, hashes, write } = flags;
  if (flags.replay !== undefined) {
    refuse(flags, "--replay", [
      "plants",
      "seeds",
      "from",
      "size",
      "mix",
      "coverage",
      "hashes",
      "keepGoing",
      "twiceEvery",
      "write",
    ]);
    return { ...common, kind: "replay", file: flags.replay, plant: atMostOne(plants) };
  }
  if (flags.plants) {
    refuse(flags, "--plants", ["coverage", "hashes", "keepGoing", "twiceEvery"]);
    return {
      ...common,
      kind: "plants",
      seeds: seeds ?? DEFAULT_SEEDS_OF_A_HUNT,
      from,
      drawing,
      plants: plants.length > 0 ? plants : PLANTS,
      write,
    };
  }
  if (write && !flags.coverage) throw usage("--write requires --plants or --coverage", "add one of them, or remove --write");
  if (flags.coverage) refuse(flags, "--coverage", ["plant", "size", "mix"]);
  if (hashes && json) throw usage("--hashes and --json both print to standard output", "remove one of them");
  return {
    ...common,
    kind: "seeds",
    seeds: seeds ?? DEFAULT_SEEDS,
    from,
    drawing,
    plant: atMostOne(plants),
    twiceEvery,
    keepGoing,
    hashes,
    coverage: flags.coverage,
    write,
  };
}

/** A mix applies to small worlds and to those with several daemons. */
function drawingOf({ size, mix }: Flags): Drawing {
  if (mix === undefined) return { size: size ?? DEFAULT_SIZE };
  if (size === "large" || size === "mixed")
    throw usage(`--mix cannot be combined with --size ${size}: it draws small worlds, or several daemons`, "remove one of them");
  const parsed = parseMix(mix);
  if ("mix" in parsed) return { size: size ?? "small", mix: parsed.mix };
  throw usage(`unknown faults in --mix: ${parsed.unknown.join(", ")}`, `choose from none, ${FAULT_KINDS.join(", ")}`);
}

function refuse(flags: Flags, mode: string, others: readonly (keyof Flags)[]): void {
  const given = others.filter((name) => flags[name] !== undefined && flags[name] !== false);
  const [other] = given;
  if (other === undefined) return;
  const flag = `--${other.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw usage(`${mode} cannot be combined with ${flag}`, "remove one of them");
}

function named(name: string): Plant {
  const plant = plantOf(name);
  if (plant !== undefined) return plant;
  const names = PLANTS.map((known) => known.name);
  const meant = nearest(name, names);
  throw usage(
    `unknown planted bug ${JSON.stringify(name)}${meant === undefined ? "" : `; did you mean ${meant}?`}`,
    `choose one of ${names.join(", ")}`,
  );
}

function atMostOne(plants: readonly Plant[]): Plant | undefined {
  if (plants.length > 1)
    throw usage("--plant is given more than once", "plant one bug at a time, or add --plants to hunt several");
  return plants[0];
}

function usage(message: string, nextStep: string): PartnerdError {
  return new PartnerdError("usage", message, { nextStep });
}

const collect = (value: string, before: readonly string[] | undefined): string[] => [...(before ?? []), value];
