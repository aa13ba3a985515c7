/** `npm run abuse`: attacks on a daemon with partners. See --help and docs/ABUSE.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { CommanderError } from "commander";
import { messageOf } from "../../src/base/errors.ts";
import { counted } from "../../src/base/units.ts";
import { type AbuseCommand, parseCommandLine } from "./command-line.ts";
import { measure, prepare, type Stage } from "./measure.ts";
import { type Surroundings, scenarios } from "./scenarios.ts";
import { faultsOf, HEADER, lineOf } from "./verdict.ts";

const USAGE = 64;
const PAGE = new URL("../../docs/ABUSE.md", import.meta.url);
const BEGIN = "<!-- table -->\n";
const END = "<!-- /table -->";

try {
  process.exitCode = await main(parseCommandLine(process.argv.slice(2)));
} catch (thrown) {
  if (!(thrown instanceof CommanderError)) throw thrown;
  process.exitCode = thrown.exitCode === 0 ? 0 : USAGE;
}

async function main({ seconds, canaries, tolerance, only, write }: AbuseCommand): Promise<number> {
  const chosen = scenarios(canaries).filter(({ name }) => only === undefined || name.includes(only));
  if (chosen.length === 0) {
    const names = scenarios(canaries).map(({ name }) => name);
    process.stderr.write(`--only: no attack has ${JSON.stringify(only)} in its name; there are: ${names.join(", ")}\n`);
    return USAGE;
  }
  const lines = [...HEADER];
  const faults: string[] = [];
  process.stdout.write(`${HEADER.join("\n")}\n`);
  let stage: { readonly of: Surroundings; readonly stage: Stage } | undefined;
  try {
    for (const scenario of chosen) {
      if (stage?.of !== scenario.surroundings) {
        await stage?.stage[Symbol.asyncDispose]();
        stage = { of: scenario.surroundings, stage: await prepare(scenario.surroundings, canaries) };
      }
      const measurement = await measure(scenario, stage.stage, seconds);
      lines.push(lineOf(measurement));
      process.stdout.write(`${lineOf(measurement)}\n`);
      faults.push(...faultsOf(measurement, tolerance).map((fault) => `${scenario.name}: ${fault}`));
    }
  } catch (thrown) {
    faults.push(messageOf(thrown));
  } finally {
    await stage?.stage[Symbol.asyncDispose]();
  }
  if (write) writeTable(lines);
  for (const fault of faults) process.stderr.write(`FAILED: ${fault}\n`);
  if (faults.length === 0) process.stdout.write(`\n${counted(chosen.length, "attack")}, and no partner noticed.\n`);
  return faults.length === 0 ? 0 : 1;
}

function writeTable(lines: readonly string[]): void {
  const page = readFileSync(PAGE, "utf8");
  const [before, rest = ""] = page.split(BEGIN);
  writeFileSync(PAGE, `${before}${BEGIN}${lines.join("\n")}\n${END}${rest.split(END)[1] ?? ""}`);
}
