/** A run of the command: shares the time among the targets, and collects and reduces failures. */
import { reduce } from "../engine/reduce.ts";
import { keepFound, seedsOf } from "../engine/seeds.ts";
import { GrowthWatch } from "./growth.ts";
import { Lane, type LaneOptions } from "./lane.ts";
import type { Answer, Failure } from "./messages.ts";

export interface CampaignOptions extends LaneOptions {
  /** The names of the targets. */
  readonly chosen: readonly string[];
  readonly seed: number;
  readonly workers: number;
  /** It stops at whichever of the two is reached first. */
  readonly minutes: number;
  readonly inputs: number;
}

interface Tally {
  readonly target: string;
  inputs: number;
  /** Of all workers together. */
  busyMs: number;
  slowestMs: number;
}

export interface Finding extends Failure {
  /** The file with the reduced input; undefined if no single input is the cause. */
  readonly path: string | undefined;
}

export interface CampaignResult {
  readonly tallies: readonly Tally[];
  readonly findings: readonly Finding[];
  /** The heap of each worker, in the first minute and at the end. */
  readonly heaps: readonly string[];
  /** Of the whole process at the end. */
  readonly rssBytes: number;
}

interface Hooks {
  onProgress(inputs: number): void;
  onFinding(finding: Finding): void;
}

const BATCH_MS = 300;
const BATCH_INPUTS = 5_000;
/** Caches fill in the first minute. */
const WARM_UP_MS = 60_000;
/** A target that fails in more ways is not run any further. */
const MOST_FINDINGS = 4;
const REDUCE_TRIES = 400;
/** Each try of a hang takes a second. */
const REDUCE_TRIES_OF_HANG = 12;

/** Runs until the time is over, the inputs are done, or `signal` aborts. Never rejects. */
export async function campaign(options: CampaignOptions, hooks: Hooks, signal: AbortSignal): Promise<CampaignResult> {
  const run = new Run(options, hooks, signal);
  await Promise.all(Array.from({ length: options.workers }, () => run.work()));
  return { tallies: run.tallies, findings: run.findings, heaps: run.heaps, rssBytes: process.memoryUsage.rss() };
}

class Run {
  readonly tallies: readonly Tally[];
  readonly findings: Finding[] = [];
  readonly heaps: string[] = [];
  readonly #options: CampaignOptions;
  readonly #hooks: Hooks;
  readonly #signal: AbortSignal;
  readonly #startedMs = performance.now();
  /** The number of the next input of each target. */
  readonly #next = new Map<string, number>();
  /** Targets whose kept seeds are still to run. */
  readonly #unseeded: Set<string>;
  readonly #dropped = new Set<string>();

  constructor(options: CampaignOptions, hooks: Hooks, signal: AbortSignal) {
    this.#options = options;
    this.#hooks = hooks;
    this.#signal = signal;
    this.tallies = options.chosen.map((target) => ({ target, inputs: 0, busyMs: 0, slowestMs: 0 }));
    this.#unseeded = new Set(options.chosen);
  }

  get #elapsedMs(): number {
    return performance.now() - this.#startedMs;
  }

  get #inputs(): number {
    return this.tallies.reduce((sum, { inputs }) => sum + inputs, 0);
  }

  /** One worker's loop. */
  async work(): Promise<void> {
    await using lane = new Lane(this.#options);
    const totalMs = this.#options.minutes * 60_000;
    const growth = new GrowthWatch(Math.min(WARM_UP_MS, totalMs / 2));
    for (let tally = this.#choose(); tally !== undefined; tally = this.#choose()) {
      const answer = await this.#batch(lane, tally);
      this.#hooks.onProgress(this.#inputs);
      if (answer.failure !== undefined) await this.#found(answer.failure);
      const grown = answer.heapBytes === 0 ? undefined : growth.add(answer.heapBytes, this.#elapsedMs);
      if (grown === undefined) continue;
      this.heaps.push(String(growth));
      const message = `the heap has grown by ${Math.round(grown / 1_048_576)} MiB since the first minute`;
      await this.#found({ target: tally.target, kind: "growth", message, signature: "growth", input: new Uint8Array() });
      return;
    }
    this.heaps.push(String(growth));
  }

  /** The target that had the least time so far; undefined if the run is over. */
  #choose(): Tally | undefined {
    const isOver =
      this.#elapsedMs > this.#options.minutes * 60_000 || this.#inputs >= this.#options.inputs || this.#signal.aborted;
    const open = this.tallies.filter(({ target }) => !this.#dropped.has(target));
    const waiting = open.find(({ target }) => this.#unseeded.has(target));
    if (waiting !== undefined && !this.#signal.aborted) return waiting;
    return isOver ? undefined : open.toSorted((one, other) => one.busyMs - other.busyMs)[0];
  }

  async #batch(lane: Lane, tally: Tally): Promise<Answer> {
    const { target } = tally;
    // Counted at once, so that the other workers choose other targets.
    tally.busyMs += BATCH_MS;
    const from = this.#next.get(target) ?? 0;
    const isSeeds = this.#unseeded.delete(target);
    if (!isSeeds) this.#next.set(target, from + BATCH_INPUTS);
    const count = Math.min(BATCH_INPUTS, Math.max(1, this.#options.inputs - this.#inputs));
    const answer = await lane.do(
      isSeeds
        ? { kind: "run", target, inputs: seedsOf(this.#options.seeds, target).map(({ bytes }) => bytes) }
        : { kind: "make", target, seed: this.#options.seed, from, count, budgetMs: BATCH_MS },
    );
    tally.busyMs += answer.busyMs - BATCH_MS;
    tally.inputs += answer.done;
    tally.slowestMs = Math.max(tally.slowestMs, answer.slowestMs);
    return answer;
  }

  async #found(failure: Failure): Promise<void> {
    const { target, signature } = failure;
    if (this.findings.some((known) => known.target === target && known.signature === signature)) return;
    const index = this.findings.push({ ...failure, path: undefined }) - 1;
    if (this.findings.filter((known) => known.target === target).length >= MOST_FINDINGS) this.#dropped.add(target);
    const finding =
      failure.kind === "growth" ? { ...failure, path: undefined } : await kept(failure, this.#options, this.#signal);
    this.findings[index] = finding;
    this.#hooks.onFinding(finding);
  }
}

/** Reduces the input in a worker of its own, until `signal` aborts, and keeps it. */
async function kept(failure: Failure, options: LaneOptions, signal: AbortSignal): Promise<Finding> {
  await using lane = new Lane(options);
  const { target, signature } = failure;
  const fails = async (input: Uint8Array) =>
    (await lane.do({ kind: "run", target, inputs: [input] })).failure?.signature === signature;
  const isAlone = await fails(failure.input);
  const tries = failure.kind === "hang" || failure.kind === "out of memory" ? REDUCE_TRIES_OF_HANG : REDUCE_TRIES;
  const input = isAlone
    ? await reduce(failure.input, async (smaller) => !signal.aborted && fails(smaller), tries)
    : failure.input;
  const message = isAlone
    ? failure.message
    : `${failure.message}\n(not with this input alone: an earlier one is part of the cause)`;
  return { ...failure, input, message, path: keepFound(options.seeds, target, input) };
}

/** Runs one input, in a worker, and returns its failure if it has one. */
export async function runInput(target: string, input: Uint8Array, options: LaneOptions): Promise<Failure | undefined> {
  await using lane = new Lane(options);
  return (await lane.do({ kind: "run", target, inputs: [input] })).failure;
}
