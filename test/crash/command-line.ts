/** What `npm run crash` can be told. */
import { resolve } from "node:path";
import { Command, Option } from "commander";
import { example } from "../../src/cli/terminal/flags.ts";
import { positive, whole } from "../support/numbers.ts";

export interface CrashCommand {
  readonly rounds: number;
  readonly seed: number;
  readonly lanes: number;
  readonly out: string;
  /** The name of a planted bug; undefined for the daemon as it is. */
  readonly plant: string | undefined;
  /** Where the campaign lives, once it has a mount namespace of its own. */
  readonly inside: string | undefined;
}

/** Throws a CommanderError for what it does not know (it has been printed). */
export function parseCommandLine(argv: readonly string[]): CrashCommand {
  const command = new Command("npm run crash --")
    .description(
      "Kills the daemon and nats-server at random instants, under load and with real power losses, and compares stream and log.",
    )
    .option("--rounds <n>", "so many rounds, all lanes together", positive, 50)
    .option("--seed <n>", "the instants are drawn from it", whole, 1)
    .option("--lanes <n>", "so many servers, streams and databases side by side", positive, 2)
    .option("--plant <name>", "with this planted bug in the daemon, to see the campaign fail (docs/PLANTED-BUGS.md)")
    .option("--out <dir>", "directory for what a violation leaves behind", ".")
    .addOption(new Option("--inside <dir>").hideHelp())
    .allowExcessArguments(false)
    .addHelpText(
      "after",
      example("npm run crash -- --rounds 1000 --seed 7", "npm run crash -- --rounds 20 --plant synchronous-normal"),
    )
    .exitOverride()
    .showHelpAfterError("(npm run crash -- --help shows what there is)");
  command.parse(argv, { from: "user" });
  const { out, plant, inside, ...numbers } = command.opts<CrashCommand>();
  return { ...numbers, plant, inside, out: resolve(out), lanes: Math.min(numbers.lanes, numbers.rounds) };
}
