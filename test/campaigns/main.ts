/** `npm run campaign`: repeats the randomized tests many times. See --help. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Argument, Command, CommanderError } from "commander";
import { endsWithParent } from "../../src/base/ends-with-parent.ts";
import { example } from "../../src/cli/terminal/flags.ts";
import { SEED_VARIABLE, TIMES_VARIABLE } from "../support/campaign.ts";
import { multiplier, whole } from "../support/numbers.ts";
import { CAMPAIGNS, type Campaign } from "./all.ts";

const USAGE = 64;
const ROOT = join(import.meta.dirname, "../..");

interface Options {
  readonly times: number;
  readonly seed: number;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (thrown) {
  if (!(thrown instanceof CommanderError)) throw thrown;
  process.exitCode = thrown.exitCode === 0 ? 0 : USAGE;
}

/** Runs the named campaigns one after another, even after a failure. Resolves to the exit code. */
async function main(argv: readonly string[]): Promise<number> {
  const command = new Command("npm run campaign --")
    .description("Repeats the randomized tests far more often than npm test does.")
    .addArgument(new Argument("<names...>", "the campaigns to run").choices([...CAMPAIGNS.map(({ name }) => name), "all"]))
    .option("--times <n>", "multiply the number of rounds by this", multiplier, 1)
    .option("--seed <n>", "random seed, for other cases than usual", whole, 0)
    .addHelpText("after", `\nCampaigns:\n${CAMPAIGNS.map(({ name, about }) => `  ${name.padEnd(12)} ${about}`).join("\n")}`)
    .addHelpText("after", example("npm run campaign -- all", "npm run campaign -- corruption kills --times 5 --seed 7"))
    .exitOverride()
    .showHelpAfterError("(see npm run campaign -- --help)");
  command.parse(argv, { from: "user" });
  const [chosen] = command.processedArgs as [readonly string[]];
  const options = command.opts<Options>();
  const failed: string[] = [];
  for (const campaign of CAMPAIGNS.filter(({ name }) => chosen.includes(name) || chosen.includes("all")))
    if ((await run(campaign, options)) !== 0) failed.push(campaign.name);
  for (const name of failed) say(`FAILED: npm run campaign -- ${name} --times ${options.times} --seed ${options.seed}`);
  return failed.length > 0 ? 1 : 0;
}

function run({ name, about, files }: Campaign, { times, seed }: Options): Promise<number> {
  say(`campaign ${name}: ${about} (${times === 1 ? "usual rounds" : `${times} times the usual rounds`}, seed ${seed})`);
  const vitest = fileURLToPath(new URL("vitest.mjs", import.meta.resolve("vitest/package.json")));
  const command = [process.execPath, vitest, "run", "--root", ROOT, ...files.map((file) => `test/${file}`)];
  const child = spawn(...endsWithParent(join(ROOT, "scripts/own-mounts"), command), {
    stdio: ["pipe", "inherit", "inherit"],
    env: { ...process.env, [TIMES_VARIABLE]: String(times), [SEED_VARIABLE]: String(seed) },
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject).once("exit", (code) => {
      child.stdin?.destroy();
      resolve(code ?? 1);
    });
  });
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
