/** `npm run fuzz`: hostile inputs for all code that reads foreign bytes. See --help and docs/FUZZING.md. */
import { readFileSync } from "node:fs";
import { CommanderError } from "commander";
import { messageOf } from "../../src/base/errors.ts";
import { ticker } from "../sim/campaign/ticker.ts";
import { type FuzzCommand, parseCommandLine } from "./command-line.ts";
import { SEEDS } from "./engine/seeds.ts";
import { findingText, tableText } from "./report.ts";
import { campaign, runInput } from "./runner/campaign.ts";
import type { LaneOptions } from "./runner/lane.ts";
import { ownTemporaryDirectory } from "./scratch.ts";

const USAGE = 64;
const INTERRUPTED = 130;
/** Signals within this time are one. */
const REPEATED_MS = 1_000;
/** Long enough for a machine that is busy with other work. */
const STUCK_MS = 30_000;
const MEASURE_EVERY_MS = 5_000;
const LANES: LaneOptions = {
  targets: new URL("targets/all.ts", import.meta.url).href,
  seeds: SEEDS,
  stuckMs: STUCK_MS,
  measureEveryMs: MEASURE_EVERY_MS,
};

const stop = new AbortController();
let interruptedMs = Number.POSITIVE_INFINITY;

try {
  const command = parseCommandLine(process.argv.slice(2));
  ownTemporaryDirectory();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, onSignal);
  process.exitCode = command.files.length > 0 ? await replay(command) : await fuzz(command);
} catch (thrown) {
  if (thrown instanceof CommanderError) process.exitCode = thrown.exitCode === 0 ? 0 : USAGE;
  else {
    process.stderr.write(`fuzz: ${messageOf(thrown)}\n`);
    process.exitCode = 1;
  }
}

/** The first signal stops the run, which keeps what it has found, and a later one exits. At Ctrl-C, npm repeats the terminal's signal. */
function onSignal(): void {
  if (performance.now() - interruptedMs > REPEATED_MS) process.exit(INTERRUPTED);
  interruptedMs = Math.min(interruptedMs, performance.now());
  stop.abort();
}

async function fuzz(command: FuzzCommand): Promise<number> {
  const startedMs = performance.now();
  const tick = ticker(process.stderr, "inputs", Number.isFinite(command.inputs) ? command.inputs : null);
  const result = await campaign(
    { ...command, ...LANES, chosen: command.targets.map(({ name }) => name) },
    { onProgress: (inputs) => tick.update(inputs), onFinding: (finding) => tick.say(findingText(finding)) },
    stop.signal,
  );
  tick.clear();
  process.stdout.write(`${tableText(result, command.seed, performance.now() - startedMs)}\n`);
  const { findings } = result;
  process.stdout.write(
    findings.length === 0 ? "nothing found\n" : `${findings.length} found:\n${findings.map(findingText).join("\n")}\n`,
  );
  return findings.length > 0 ? 1 : stop.signal.aborted ? INTERRUPTED : 0;
}

async function replay({ targets, files }: FuzzCommand): Promise<number> {
  let failed = 0;
  for (const path of files) {
    if (stop.signal.aborted) return INTERRUPTED;
    const input = readFileSync(path);
    const failure = await runInput(targets[0]?.name ?? "", input, LANES);
    if (failure === undefined) process.stdout.write(`${path}: no failure\n`);
    else {
      failed += 1;
      process.stdout.write(`${path}: ${failure.kind}: ${failure.message}\n`);
    }
  }
  return failed === 0 ? 0 : 1;
}
