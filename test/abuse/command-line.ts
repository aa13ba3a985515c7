/** The command line of `npm run abuse`. */
import { Command } from "commander";
import { example } from "../../src/cli/terminal/flags.ts";
import { positive } from "../support/numbers.ts";

export interface AbuseCommand {
  /** The length of each attack. */
  readonly seconds: number;
  /** Partners that must not notice the attacks. */
  readonly canaries: number;
  /** Multiplies the bounds of times and memory. */
  readonly tolerance: number;
  /** Attacks whose name contains this; undefined for all. */
  readonly only: string | undefined;
  /** Writes the table into docs/ABUSE.md. */
  readonly write: boolean;
}

/** Throws a CommanderError, which has been printed, for unknown input. */
export function parseCommandLine(argv: readonly string[]): AbuseCommand {
  const command = new Command("npm run abuse --")
    .description("Attacks a daemon with partners, and measures what the partners, its memory and its log notice.")
    .option("--seconds <n>", "length of each attack", positive, 20)
    .option("--canaries <n>", "number of partners", positive, 50)
    .option("--tolerance <n>", "multiply the bounds of times and memory, for a machine that is busy otherwise", positive, 1)
    .option("--only <text>", "run only the attacks whose name contains this text")
    .option("--write", "write the table into docs/ABUSE.md", false)
    .allowExcessArguments(false)
    .addHelpText("after", example("npm run abuse -- --seconds 5 --canaries 10", "npm run abuse -- --only sockets"))
    .exitOverride()
    .showHelpAfterError("(see npm run abuse -- --help)");
  command.parse(argv, { from: "user" });
  const { only, ...options } = command.opts<AbuseCommand>();
  return { ...options, only };
}
