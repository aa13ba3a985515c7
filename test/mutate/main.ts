/** `npm run mutate`: changes the program in one place at a time, and reports which tests notice. See --help and docs/MUTATIONS.md. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommanderError } from "commander";
import { messageOf } from "../../src/base/errors.ts";
import { ticker } from "../sim/campaign/ticker.ts";
import { catchersOf, nearTo, relatedTo } from "./catchers.ts";
import { choose, isBelow } from "./choose.ts";
import { type MutateCommand, parseCommandLine } from "./command-line.ts";
import { EXPLAINED } from "./explained.ts";
import { campaign, removeTree } from "./measure/campaign.ts";
import { type Outcome, type Outcomes, readOutcomes, writeOutcomes } from "./measure/results.ts";
import { needlessOf, staleOf, survivorsOf, tally } from "./measure/score.ts";
import { type FoundFile, findMutants, type Mutant, mutatedText } from "./mutants.ts";
import { AREAS, resultText, withTables } from "./report.ts";
import { changedLines, SWITCH_MODULE, sourcesOf, writeTree } from "./tree.ts";

const ROOT = join(import.meta.dirname, "../..");
const PAGE = join(ROOT, "docs/MUTATIONS.md");
const USAGE = 64;
const INTERRUPTED = 130;

const stop = new AbortController();
let wasInterrupted = false;

try {
  const command = parseCommandLine(process.argv.slice(2));
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => {
      wasInterrupted = true;
      stop.abort();
    });
  process.exitCode = await main(command);
} catch (thrown) {
  if (thrown instanceof CommanderError) process.exitCode = thrown.exitCode === 0 ? 0 : USAGE;
  else {
    process.stderr.write(`mutate: ${messageOf(thrown)}\n`);
    process.exitCode = 1;
  }
}

async function main(command: MutateCommand): Promise<number> {
  const sources = sourcesOf(ROOT);
  const areas = AREAS.map((area) => `src/${area}`);
  const found = findMutants(
    sources.filter(({ path }) => isBelow(path, areas)),
    sources,
  );
  const all = found.flatMap(({ placed }) => placed.map(({ mutant }) => mutant));
  const changed = command.changed === undefined ? undefined : changedLines(ROOT, command.changed);
  const chosen = choose(all, { ...command, changed });
  if (chosen.length === 0) return reportNone(command, all);
  if (command.list) return list(chosen);
  const outcomes = command.results === undefined ? new Map<number, Outcome>() : readOutcomes(command.results, all);
  const pending = chosen.filter(({ id }) => outcomes.get(id)?.kind !== "caught");
  const startedMs = performance.now();
  if (pending.length > 0) await run(command, found, pending, outcomes);
  const seconds = Math.round((performance.now() - startedMs) / 1_000);
  if (command.results !== undefined) writeOutcomes(command.results, all, outcomes);
  print(resultText({ all: chosen, outcomes }));
  const unrun = chosen.filter(({ id }) => !outcomes.has(id)).length;
  print(`\n${chosen.length - unrun} of ${chosen.length} chosen mutants have an outcome; ${all.length} exist; ${seconds} s`);
  complain(all, outcomes);
  if (command.write) writePage(command, all, chosen, outcomes);
  return wasInterrupted ? INTERRUPTED : isGoodEnough(command, chosen, outcomes) && staleOf(all, EXPLAINED).length === 0 ? 0 : 1;
}

/** Adds the outcomes of the pending mutants. */
async function run(
  command: MutateCommand,
  found: readonly FoundFile[],
  pending: readonly Mutant[],
  outcomes: Map<number, Outcome>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "oc-partnerd-mutate-"));
  const tree = join(directory, "tree");
  const tick = ticker(process.stderr, "mutants", pending.length);
  const timer = Number.isFinite(command.minutes) ? setTimeout(() => stop.abort(), command.minutes * 60_000) : undefined;
  try {
    const ids = new Set(pending.map(({ id }) => id));
    writeTree(
      ROOT,
      tree,
      found.map((file) => ({ path: file.path, text: mutatedText(file, ids, SWITCH_MODULE) })),
    );
    const catchers = catchersOf(ROOT, command.allTests || command.tests.length > 0).filter((path) =>
      isBelow(path, command.tests),
    );
    const paths = new Set(pending.map(({ path }) => path));
    const testFiles = relatedTo(ROOT, command.near ? nearTo(catchers, paths) : catchers, paths);
    const work = join(directory, "work");
    mkdirSync(work);
    const result = await campaign(
      { tree, directory: work, testFiles, mutants: [...ids], lanes: command.lanes, mostMs: 1_000 * command.mostSeconds },
      {
        onRecorded: (files) => tick.update(0, `${files} of ${testFiles.length} test files recorded`),
        onProgress: (settled) => tick.update(settled),
      },
      stop.signal,
    );
    for (const [id, outcome] of result.outcomes) outcomes.set(id, outcome);
    tick.clear();
    for (const { testFile, problem } of result.unusable)
      process.stderr.write(`mutate: ${testFile} catches nothing, because it fails without a mutant: ${problem.split("\n")[0]}\n`);
  } finally {
    clearTimeout(timer);
    tick.clear();
    if (command.keep) print(`kept ${directory}`);
    else removeTree(directory);
  }
}

/** A change may touch nothing that can be mutated; a path without any mutant is a mistake. */
function reportNone({ changed, only }: MutateCommand, all: readonly Mutant[]): number {
  const unchanged = `no line of src/ that can be mutated has changed since ${changed}`;
  print(changed === undefined ? `no line that can be mutated is in ${only.join(", ")}` : unchanged);
  complain(all, new Map());
  return changed !== undefined && staleOf(all, EXPLAINED).length === 0 ? 0 : 1;
}

function list(mutants: readonly Mutant[]): number {
  for (const { path, line, operator, change, lineText } of mutants) print(`${path}:${line}  ${operator}: ${change}: ${lineText}`);
  return 0;
}

function isGoodEnough({ leastScore }: MutateCommand, chosen: readonly Mutant[], outcomes: Outcomes): boolean {
  const { mutants, score } = tally(chosen, outcomes, EXPLAINED);
  if (leastScore !== undefined) return mutants === 0 || score * 100 >= leastScore;
  return survivorsOf(chosen, outcomes, EXPLAINED).every(({ explanation }) => explanation !== undefined);
}

/** Reports explanations that no longer hold. */
function complain(all: readonly Mutant[], outcomes: Outcomes): void {
  for (const { path, operator, line } of staleOf(all, EXPLAINED)) print(`stale explanation: ${path}, ${operator}: ${line}`);
  for (const { path, operator, line } of needlessOf(all, outcomes, EXPLAINED))
    print(`explained, but caught: ${path}, ${operator}: ${line}`);
}

function writePage(command: MutateCommand, all: readonly Mutant[], chosen: readonly Mutant[], outcomes: Outcomes): void {
  const whole = `Of ${all.length} mutants, ${chosen.length} were ${command.sample === undefined ? "chosen" : `drawn (seed ${command.seed})`}.`;
  const unrun = chosen.filter(({ id }) => !outcomes.has(id)).length;
  const rest =
    unrun === 0 ? "All of them have an outcome." : `${unrun} had not met all tests when the run was stopped, and are left out.`;
  const page = withTables(readFileSync(PAGE, "utf8"), { all: chosen, outcomes }, `${whole} ${rest}`);
  if (page === undefined) throw new Error("docs/MUTATIONS.md lacks the marker for the tables; restore it from git");
  writeFileSync(PAGE, page);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
