/** `npm run crash`: kills and power losses, and checks of the files that they leave. See --help and docs/CRASHES.md. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommanderError } from "commander";
import { endsWithParent } from "../../src/base/ends-with-parent.ts";
import { messageOf } from "../../src/base/errors.ts";
import { ticker } from "../sim/campaign/ticker.ts";
import { type CrashCommand, parseCommandLine } from "./command-line.ts";
import { type LaneResult, makeDisk, runLane } from "./lane.ts";
import { crashPlantOf } from "./plants.ts";
import { reportText } from "./report.ts";

const USAGE = 64;
const INTERRUPTED = 130;

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (thrown) {
  if (!(thrown instanceof CommanderError)) process.stderr.write(`crash: ${messageOf(thrown)}\n`);
  process.exitCode = thrown instanceof CommanderError && thrown.exitCode === 0 ? 0 : USAGE;
}

async function main(argv: readonly string[]): Promise<number> {
  const command = parseCommandLine(argv);
  if (command.plant !== undefined && crashPlantOf(command.plant) === undefined)
    throw new Error(`unknown planted bug ${JSON.stringify(command.plant)}; see docs/PLANTED-BUGS.md and docs/CRASHES.md`);
  if (command.inside !== undefined) return campaign(command, command.inside);
  const directory = mkdtempSync(join(tmpdir(), "oc-partnerd-crash-"));
  try {
    const mayMount = spawnSync("unshare", ["--mount", "true"]).status === 0;
    return mayMount ? await inNamespace(argv, directory) : await campaign(command, directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Runs the campaign in a mount namespace. Its mounts are invisible outside it and vanish with its last process. */
async function inNamespace(argv: readonly string[], directory: string): Promise<number> {
  const command = [process.execPath, ...process.execArgv, import.meta.filename, ...argv, "--inside", directory];
  const mountAndRun = 'mount -t tmpfs -o mode=0700 oc-partnerd-crash "$0" && exec "$@"';
  const child = spawn(...endsWithParent("unshare", ["--mount", "sh", "-c", mountAndRun, directory, ...command]), {
    stdio: ["pipe", "inherit", "inherit"],
    // In its own process group: Ctrl-C reaches only this process, which signals the child once.
    detached: true,
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => child.kill("SIGTERM"));
  return new Promise((resolve) => child.once("exit", (code) => resolve(code ?? 1)));
}

async function campaign(command: CrashCommand, directory: string): Promise<number> {
  const { rounds, lanes, seed, out, plant, often } = command;
  // For the temporary files of servers, daemons and everything else.
  process.env["TMPDIR"] = directory;
  const noPowerLoss = whyNoPowerLoss(join(directory, "try"));
  if (noPowerLoss !== null) process.stderr.write(`no power losses possible, only kills: ${noPowerLoss}\n`);
  const nodeOptions = plant === undefined ? "" : `--import=${new URL(`plant-preload.ts?plant=${plant}`, import.meta.url).href}`;
  const stop = new AbortController();
  let interrupted = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      interrupted = true;
      stop.abort();
    });
  }
  const tick = ticker(process.stderr, "rounds", rounds);
  const startedMs = performance.now();
  let done = 0;
  const waiting = roundsOfLanes(command).entries();
  const results: LaneResult[] = [];
  const runLanes = async (): Promise<void> => {
    for (const [index, laneRounds] of waiting) {
      if (stop.signal.aborted) return;
      const laneDirectory = join(directory, `lane-${index + 1}`);
      const result = await runLane({
        number: index + 1,
        rounds: laneRounds,
        seed,
        directory: laneDirectory,
        noPowerLoss,
        nodeOptions,
        often,
        signal: stop.signal,
        out,
        onRound: () => tick.update(++done),
      });
      results.push(result);
      // It may be in memory.
      rmSync(laneDirectory, { recursive: true, force: true });
      if (result.violation !== null) stop.abort();
    }
  };
  await Promise.all(Array.from({ length: lanes }, runLanes));
  tick.clear();
  const seconds = (performance.now() - startedMs) / 1_000;
  process.stdout.write(`${reportText(results, { seed, seconds, noPowerLoss, interrupted })}\n`);
  return results.some(({ violation }) => violation !== null) ? 1 : interrupted ? INTERRUPTED : 0;
}

/** How many rounds each lane plays, as evenly as possible. */
function roundsOfLanes({ rounds, lanes, laneRounds }: CrashCommand): readonly number[] {
  const count = Math.max(lanes, Math.ceil(rounds / laneRounds));
  return Array.from({ length: count }, (_, index) => Math.floor(rounds / count) + (index < rounds % count ? 1 : 0));
}

/** Null if a file system can be mounted and shut down here; otherwise the reason. */
function whyNoPowerLoss(directory: string): string | null {
  try {
    using disk = makeDisk(directory, null);
    disk.cutPower([]);
    disk.restorePower();
    return null;
  } catch (thrown) {
    return messageOf(thrown);
  }
}
