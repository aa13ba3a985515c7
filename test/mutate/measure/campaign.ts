/** Runs tests against mutants: first once without any, to learn which tests reach which mutants, then once for each mutant. */
import { spawn } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { endsWithParent } from "../../../src/base/ends-with-parent.ts";
import {
  DIRECTORY_VARIABLE,
  FILES_VARIABLE,
  type FileRecord,
  LANES_VARIABLE,
  planFile,
  type ResultLine,
  recordFile,
  resultsFile,
  settledFile,
} from "../runner/messages.ts";
import { plansOf, reachedBy } from "./plan.ts";
import type { Outcome, Outcomes } from "./results.ts";
import { Ledger } from "./settle.ts";

export interface CampaignOptions {
  /** The tree of mutants. */
  readonly tree: string;
  /** Exists. Records of an earlier run in it are used again. */
  readonly directory: string;
  readonly testFiles: readonly string[];
  readonly mutants: readonly number[];
  readonly lanes: number;
  /** How long a test file may run for one mutant. */
  readonly mostMs: number;
}

export interface CampaignEvents {
  onRecorded(files: number): void;
  /** Mutants with an outcome, and the test files that still run. */
  onProgress(settled: number): void;
}

export interface CampaignResult {
  readonly outcomes: Outcomes;
  /** Test files that fail without a mutant in the tree of mutants, and so catch nothing. */
  readonly unusable: readonly { readonly testFile: string; readonly problem: string }[];
}

const POLL_MS = 250;
/** A process that a mutant ends is started again for the rest of its mutants. */
const MOST_ROUNDS = 60;

export async function campaign(options: CampaignOptions, events: CampaignEvents, signal: AbortSignal): Promise<CampaignResult> {
  const { directory, testFiles, mutants, mostMs } = options;
  for (const folder of ["plans", "records"]) mkdirSync(join(directory, folder), { recursive: true });
  const isRecorded = (file: string) => existsSync(recordFile(directory, file));
  const unrecorded = testFiles.filter((file) => !isRecorded(file));
  if (unrecorded.length > 0)
    await runVitest(options, unrecorded, () => events.onRecorded(testFiles.filter(isRecorded).length), signal);
  const records = testFiles.map((testFile) => readRecord(directory, testFile));
  const ledger = new Ledger();
  const reached = reachedBy(records);
  const unreached = mutants.filter((id) => !reached.has(id)).length;
  const tail = new Tail(resultsFile(directory));
  const follow = () => {
    for (const line of tail.read()) for (const id of ledger.take(line)) appendFileSync(settledFile(directory), `${id}\n`);
    events.onProgress(unreached + ledger.caught.size);
  };
  follow();
  let open = plansOf(records, ledger, mostMs);
  for (let round = 0; open.length > 0 && round < MOST_ROUNDS && !signal.aborted; round++) {
    for (const plan of open) writeFileSync(planFile(directory, plan.testFile), JSON.stringify(plan));
    await runVitest(
      options,
      open.map(({ testFile }) => testFile),
      follow,
      signal,
    );
    follow();
    if (!signal.aborted) ledger.ended();
    open = plansOf(records, ledger, mostMs);
  }
  const unfinished = new Set(open.flatMap((plan) => plan.mutants.map(({ id }) => id)));
  const unusable = records.flatMap(({ testFile, problem }) => (problem === null ? [] : [{ testFile, problem }]));
  const wasRecorded = testFiles.every(isRecorded);
  const outcomes = new Map<number, Outcome>();
  for (const id of mutants) {
    const caught = ledger.caught.get(id);
    if (caught !== undefined) outcomes.set(id, caught);
    else if (!reached.has(id) && (wasRecorded || !signal.aborted)) outcomes.set(id, { kind: "unreached" });
    else if (reached.has(id) && !unfinished.has(id)) outcomes.set(id, { kind: "survived" });
  }
  return { outcomes, unusable };
}

function readRecord(directory: string, testFile: string): FileRecord {
  const path = recordFile(directory, testFile);
  if (!existsSync(path)) return { testFile, problem: "it ends its process", shared: [], tests: [] };
  return JSON.parse(readFileSync(path, "utf8")) as FileRecord;
}

/** Resolves when vitest has ended, however. Calls `poll` until then. */
async function runVitest(
  { tree, directory, lanes }: CampaignOptions,
  files: readonly string[],
  poll: () => void,
  signal: AbortSignal,
): Promise<void> {
  const vitest = join(dirname(fileURLToPath(import.meta.resolve("vitest/package.json"))), "vitest.mjs");
  const config = join(tree, "test/mutate/runner/vitest.config.ts");
  const child = spawn(...endsWithParent(process.execPath, [vitest, "run", "--root", tree, "--config", config]), {
    cwd: tree,
    stdio: ["pipe", "ignore", process.env["MUTATION_DEBUG"] === undefined ? "ignore" : "inherit"],
    env: {
      ...process.env,
      [DIRECTORY_VARIABLE]: directory,
      [FILES_VARIABLE]: JSON.stringify(files),
      [LANES_VARIABLE]: String(lanes),
    },
  });
  const ended = new AbortController();
  const exited = new Promise<void>((resolve, reject) => {
    child.once("error", reject).once("exit", () => {
      child.stdin?.destroy();
      ended.abort();
      resolve();
    });
  });
  // Closing its standard input ends it, and its workers with it.
  const stop = () => child.stdin?.destroy();
  signal.addEventListener("abort", stop, { once: true });
  while (!ended.signal.aborted) {
    poll();
    await pause(POLL_MS, undefined, { signal: ended.signal }).catch(() => {});
  }
  signal.removeEventListener("abort", stop);
  await exited;
}

/** Reads the lines that have been added to a file. */
class Tail {
  readonly #path: string;
  #length = 0;

  constructor(path: string) {
    this.#path = path;
  }

  read(): readonly ResultLine[] {
    if (!existsSync(this.#path)) return [];
    const text = readFileSync(this.#path, "utf8");
    const whole = text.slice(this.#length, text.lastIndexOf("\n") + 1);
    this.#length += whole.length;
    return whole.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as ResultLine]));
  }
}

export function removeTree(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 3 });
}
