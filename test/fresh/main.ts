/** `npm run test:fresh`: `npm run demo` and `npm test`, as a newcomer runs them. See --help. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command, Option } from "commander";
import { messageOf } from "../../src/base/errors.ts";
import { report } from "../../src/cli/terminal/report.ts";
import { freshPlace, outsidePlace, type Place } from "./place.ts";
import { REPORT, type Step, TESTS, type Visit, visit } from "./steps.ts";
import { runDirectory, SYSTEMS, type System, whyNoSystems } from "./systems.ts";
import { visitsTable } from "./table.ts";
import { merge, readReport, runSkipped, type TestResult, totalsOf } from "./totals.ts";

interface Options {
  readonly system: string | undefined;
  readonly test: boolean;
  readonly outside: boolean;
  readonly totals: string | undefined;
}

type TitledStep = Step & { readonly title: string };

const command = new Command("npm run test:fresh --")
  .description("Runs `npm run demo` twice in minimal Debian systems as an ordinary user, and `npm test` in one of them.")
  .addOption(new Option("--system <name>", "use only this system").choices(SYSTEMS.map(({ name }) => name)))
  .option("--no-test", "skip npm test")
  .option("--outside", "use a clone on this machine instead")
  .option("--totals <file>", "write the numbers of passed, failed and skipped checks to this file")
  .argument("[tests...]", "run only these test files")
  .allowExcessArguments(false)
  .exitOverride()
  .action(main);
try {
  await command.parseAsync();
} catch (thrown) {
  report(thrown);
}

async function main(tests: readonly string[], options: Options): Promise<void> {
  using directory = runDirectory();
  const visits: Visit[] = [];
  let results: readonly TestResult[] = [];
  const go = async (place: Place, isTested: boolean) => {
    const done = await visit(place, isTested && options.test ? tests : null);
    visits.push(done);
    if (done.steps.some(({ name }) => name === TESTS)) results = readReport(join(place.outside, REPORT), place.inside);
  };
  const why = options.outside ? "--outside" : whyNoSystems();
  const systems = SYSTEMS.filter(({ name }) => options.system === undefined || name === options.system);
  const unmade = why === null ? await inSystems(systems, directory.path, options.system !== undefined, go) : why;
  if (unmade !== null) await onThisMachine(unmade, directory.path, go);
  const steps: TitledStep[] = visits.flatMap(({ title, steps }) => steps.map((step) => ({ ...step, title })));
  if (unmade === null && results.some(({ status }) => status === "skipped")) {
    const startedMs = performance.now();
    const rerun = runSkipped(results, join(directory.path, REPORT));
    steps.push({ title: "this machine", name: TESTS, seconds: (performance.now() - startedMs) / 1_000, problem: rerun.problem });
    results = merge(results, rerun.results);
  }
  summarize(visits, steps, results, options.totals);
}

/** Null, or why a system could not be created. */
async function inSystems(
  systems: readonly System[],
  directory: string,
  isTestedAnyway: boolean,
  go: (place: Place, isTested: boolean) => Promise<void>,
): Promise<string | null> {
  for (const system of systems) {
    let place: Place;
    try {
      place = await freshPlace(system, directory);
    } catch (thrown) {
      return `${system.title}: ${messageOf(thrown)}`;
    }
    await go(place, isTestedAnyway || system.isTested);
    rmSync(join(directory, system.name), { recursive: true, force: true });
  }
  return null;
}

async function onThisMachine(
  why: string,
  directory: string,
  go: (place: Place, isTested: boolean) => Promise<void>,
): Promise<void> {
  const line = "!".repeat(100);
  process.stdout.write(
    `\n${line}\nNOT TESTED in minimal systems: ${why}\nThe same commands run on this machine instead, in a clone.\n${line}\n`,
  );
  await go(outsidePlace(directory), true);
}

function summarize(
  visits: readonly Visit[],
  steps: readonly TitledStep[],
  results: readonly TestResult[],
  file: string | undefined,
): void {
  const { passed, failed, skipped } = totalsOf(steps, results);
  process.stdout.write(`\n${visitsTable(visits)}\n`);
  for (const { title, name, problem } of steps)
    if (problem !== null) process.stdout.write(`FAILED: ${title}: ${name}: ${problem}\n`);
  for (const { file: test, fullName, status, needsRoot } of results)
    if (status !== "passed") process.stdout.write(`${status}: ${test}: ${fullName}${needsRoot ? " (needs root)" : ""}\n`);
  process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  if (file !== undefined) writeFileSync(file, `${passed} ${failed} ${skipped}\n`);
  if (failed !== 0) process.exitCode = 1;
}
