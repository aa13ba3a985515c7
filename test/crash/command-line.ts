/** The command line of `npm run crash`. */
import { resolve } from "node:path";
import { Command, Option } from "commander";
import { example } from "../../src/cli/terminal/flags.ts";
import { positive, whole } from "../support/numbers.ts";

export interface CrashCommand {
  readonly rounds: number;
  readonly seed: number;
  /** How many lanes run at a time. */
  readonly lanes: number;
  /** The most rounds of a lane. A round gets slower with each one before it, because it compares the whole stream. */
  readonly laneRounds: number;
  readonly out: string;
  /** Whether most rounds roll back, restore or clone. */
  readonly often: boolean;
  /** The name of a planted bug; undefined for none. */
  readonly plant: string | undefined;
  /** The campaign's directory; set once it runs in its own mount namespace. */
  readonly inside: string | undefined;
}

/** Throws a CommanderError, which has been printed, for unknown input. */
export function parseCommandLine(argv: readonly string[]): CrashCommand {
  const command = new Command("npm run crash --")
    .description(
      "Kills the daemon and nats-server at random times, under load and with real power losses, and compares stream and log.",
    )
    .option("--rounds <n>", "total number of rounds, over all lanes", positive, 50)
    .option("--seed <n>", "random seed for the times of the kills", whole, 1)
    .option("--lanes <n>", "lanes that run at a time, each with its own server, stream and database", positive, 2)
    .option("--lane-rounds <n>", "most rounds of a lane; then another one begins, with everything new", positive, 50)
    .option("--often", "roll back, restore or clone the log in most rounds", false)
    .option("--plant <name>", "plant this bug in the daemon, to check that the campaign fails (see docs/PLANTED-BUGS.md)")
    .option("--out <dir>", "directory for the files of a violation", ".")
    .addOption(new Option("--inside <dir>").hideHelp())
    .allowExcessArguments(false)
    .addHelpText(
      "after",
      example("npm run crash -- --rounds 1000 --seed 7", "npm run crash -- --rounds 20 --plant synchronous-normal"),
    )
    .exitOverride()
    .showHelpAfterError("(see npm run crash -- --help)");
  command.parse(argv, { from: "user" });
  const { out, plant, inside, often, ...numbers } = command.opts<CrashCommand>();
  return { ...numbers, often, plant, inside, out: resolve(out), lanes: Math.min(numbers.lanes, numbers.rounds) };
}
