/** `npm run sim`: seeds, planted bugs, and single fixtures. See --help. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { CommanderError } from "commander";
import { messageOf, PartnerdError, toPartnerdError } from "../../../src/base/errors.ts";
import { readFixtureText } from "../../../src/cli/fixture/files.ts";
import { parseFixture } from "../../../src/fixture/format/parse.ts";
import { PLANTS } from "../plants/all.ts";
import { isComplete } from "../reach/places.ts";
import { coverageDocument, coverageText, explainedOf } from "../reach/report.ts";
import { Steering } from "../reach/steering.ts";
import { loadSimulate } from "../simulator.ts";
import { campaign, type Finding } from "./campaign.ts";
import { parseCommandLine, type SimCommand } from "./command-line.ts";
import { type Hunted, hunt } from "./plant-hunt.ts";
import {
  campaignJson,
  EMPTY_DOCUMENT,
  failureLine,
  findingsText,
  huntedLine,
  huntJson,
  huntText,
  totalsText,
  withTable,
} from "./report.ts";
import { ticker } from "./ticker.ts";

/** The smallest fixture of each planted bug, for the tests. */
const FIXTURES = join(import.meta.dirname, "../plants/fixtures");
const DOCUMENT = join(import.meta.dirname, "../../../docs/PLANTED-BUGS.md");
const COVERAGE = join(import.meta.dirname, "../../../docs/SIM-COVERAGE.md");
/** Stop after violations of this many invariants: further ones are often consequences. */
const MOST_INVARIANTS = 3;
const SHRINK_RUNS = 2_000;
const INTERRUPTED = 130;

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (thrown) {
  process.exitCode = exitCodeOf(thrown);
}

function main(argv: readonly string[]): Promise<number> {
  const command = parseCommandLine(argv);
  switch (command.kind) {
    case "seeds":
      return runSeeds(command);
    case "plants":
      return runPlants(command);
    case "replay":
      return runReplay(command);
  }
}

async function runSeeds(command: SimCommand & { kind: "seeds" }): Promise<number> {
  const { seeds, from, workers, hashes, json, keepGoing, out } = command;
  makeDirectory(out);
  const plant = command.plant?.name ?? null;
  const steering = command.coverage ? new Steering() : undefined;
  const options = {
    ...command,
    plant,
    measures: command.coverage,
    ...(steering && { steering }),
    mostInvariants: keepGoing ? Number.POSITIVE_INFINITY : MOST_INVARIANTS,
    shrinkRuns: SHRINK_RUNS,
  };
  const tick = ticker(process.stderr, "seeds", seeds);
  const hashLines = inOrder(from, print);
  const result = await campaign(
    options,
    {
      onRan: ({ seed, facts, violation }, done) => {
        tick.update(done);
        if (hashes) hashLines(seed, `${seed} ${facts?.traceHash ?? violation?.invariant ?? "no-hash"}`);
      },
      onFailure: (failure) => tick.say(failureLine(failure)),
      onShrinking: () => tick.say(`shrinking fixtures; Ctrl-C keeps the smallest so far`),
    },
    interruption(),
  );
  tick.clear();
  const { totals, findings, interrupted } = result;
  const files = new Map(findings.flatMap((finding) => fileOf(finding, out)));
  if (json) print(JSON.stringify(campaignJson(result, files, plant), null, 2));
  else (hashes ? complain : print)(`${totalsText(totals, workers, interrupted)}\n\n${findingsText(findings, files, plant)}`);
  const isExplained = steering === undefined || sayCoverage(steering, { ...command, write: command.write && !interrupted });
  if (findings.length > 0) return 1;
  return interrupted ? INTERRUPTED : isExplained ? 0 : 1;
}

/** Returns whether all code was reached, or has a reason not to be that still fits. */
function sayCoverage({ reached }: Steering, { write, seeds, json, hashes }: SimCommand & { kind: "seeds" }): boolean {
  const explained = explainedOf(reached);
  (json || hashes ? complain : print)(`\n${coverageText(explained)}`);
  if (write) writing(COVERAGE, () => writeFileSync(COVERAGE, coverageDocument(explained, seeds)));
  return isComplete(explained);
}

/** Writes the smallest known fixture of a finding. */
function fileOf(finding: Finding, directory: string): [Finding, string][] {
  const text = finding.shrunk?.fixture ?? finding.first.fixture;
  if (text === null) return [];
  const path = join(directory, `sim-failure-${finding.first.seed}.jsonl`);
  writing(path, () => writeFileSync(path, text));
  return [[finding, relative(process.cwd(), path)]];
}

async function runPlants(command: SimCommand & { kind: "plants" }): Promise<number> {
  const { plants, write, json, out } = command;
  makeDirectory(out);
  const tick = ticker(process.stderr, "planted bugs", plants.length);
  const signal = interruption();
  let hunted = 0;
  const results = await hunt(
    plants,
    { ...command, shrinkRuns: SHRINK_RUNS },
    {
      onRan: (plant, seed) => tick.update(hunted, `${plant.name} at seed ${seed}`),
      onHunted: (one, done) => {
        hunted = done;
        tick.say(huntedLine(one, done, plants.length));
        const fixture = one.caught?.shrunk?.fixture;
        const path = join(out, `${one.plant.name}.jsonl`);
        if (fixture !== undefined && out !== process.cwd()) writing(path, () => writeFileSync(path, fixture));
      },
    },
    signal,
  );
  tick.clear();
  print(json ? JSON.stringify(huntJson(results), null, 2) : huntText(results));
  if (signal.aborted) return INTERRUPTED;
  const allCaught = results.every(({ problem }) => problem === null);
  if (write && allCaught) writeTable(results);
  else if (write) complain(`${relative(process.cwd(), DOCUMENT)} was not written, because not every bug was caught`);
  return allCaught ? 0 : 1;
}

/** Writes the rows of these bugs into the document, and each bug's fixture for the tests. */
function writeTable(results: readonly Hunted[]): void {
  const document = withTable(
    existsSync(DOCUMENT) ? readFileSync(DOCUMENT, "utf8") : EMPTY_DOCUMENT,
    results,
    PLANTS.map(({ name }) => name),
  );
  if (document === undefined) {
    throw new PartnerdError("file_failed", `${DOCUMENT} lacks the markers for the table`, {
      nextStep: "delete the file, and --write will create it",
    });
  }
  makeDirectory(FIXTURES);
  for (const { plant, caught } of results) {
    const path = join(FIXTURES, `${plant.name}.jsonl`);
    writing(path, () => writeFileSync(path, caught?.shrunk?.fixture ?? ""));
  }
  writing(DOCUMENT, () => writeFileSync(DOCUMENT, document));
}

async function runReplay({ file, plant, simulator, json }: SimCommand & { kind: "replay" }): Promise<number> {
  const { text, name } = await readFixtureText(file);
  const fixture = parseFixture(text, name);
  const simulate = await loadSimulate(simulator, plant);
  const { violations, traceHash } = await simulate(fixture, { signal: interruption() });
  if (json) print(JSON.stringify({ file, plant: plant?.name ?? null, traceHash, violations }, null, 2));
  else if (violations.length === 0) print(`no violations${plant === undefined ? "" : ` with ${plant.name} planted`}`);
  else
    for (const { invariant, atMs, message } of violations)
      print(`${(atMs / 1_000).toFixed(3).padStart(10)} s  ${invariant}: ${message}`);
  return violations.length > 0 ? 1 : 0;
}

/** Aborts on the first Ctrl-C; a second one kills the process. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => controller.abort(new Error("interrupted")));
  return controller.signal;
}

/** Takes lines in any order and passes them on in seed order. */
function inOrder(from: number, handOn: (line: string) => void): (seed: number, line: string) => void {
  const waiting = new Map<number, string>();
  let next = from;
  return (seed, line) => {
    waiting.set(seed, line);
    for (let due = waiting.get(next); due !== undefined; due = waiting.get(next)) {
      handOn(due);
      waiting.delete(next++);
    }
  };
}

/** Not recursive: Node loops for ever below a directory that accepts no subdirectories, such as /proc. */
function makeDirectory(path: string): void {
  if (!existsSync(path)) writing(path, () => mkdirSync(path));
}

function writing(path: string, work: () => void): void {
  try {
    work();
  } catch (thrown) {
    throw new PartnerdError("file_failed", `cannot write ${path}: ${messageOf(thrown)}`, {
      nextStep: "choose a writable directory with --out DIR",
      cause: thrown,
    });
  }
}

/** Prints the error and its next step, unless commander has already printed it. */
function exitCodeOf(thrown: unknown): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 64;
  const error = toPartnerdError(thrown);
  complain(`sim: ${error.message}`);
  if (error.nextStep !== null) complain(`  next step: ${error.nextStep}`);
  if (error.code === "internal_error" && thrown instanceof Error) complain(thrown.stack ?? "");
  return error.exitCode;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function complain(text: string): void {
  process.stderr.write(`${text}\n`);
}
