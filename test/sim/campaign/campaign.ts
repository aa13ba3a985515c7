/** Runs many seeds on a few lanes, then shrinks the first failure of each kind to its smallest fixture. */
import type { Reach } from "../reach/reached.ts";
import type { Steering } from "../reach/steering.ts";
import type { Drawing } from "../worlds/generate.ts";
import { type Lane, type LaneOptions, Lane as NewLane, type Outcome } from "./lane.ts";
import { type Ran, RUNNER_INVARIANTS, type Shrunk } from "./messages.ts";

export interface CampaignOptions extends LaneOptions {
  readonly seeds: number;
  readonly from: number;
  readonly drawing: Drawing;
  /** Draws the worlds instead of `drawing`, and learns from what they reach. */
  readonly steering?: Steering;
  readonly plant: string | null;
  readonly workers: number;
  /** Every n-th seed is run twice; 0 for none. */
  readonly twiceEvery: number;
  /** Once this many different invariants are violated, no further seed is started. */
  readonly mostInvariants: number;
  readonly shrinkRuns: number;
}

/** A seed whose run violated something. */
export interface Failure {
  readonly seed: number;
  readonly drawing: Drawing;
  readonly invariant: string;
  readonly atMs: number;
  readonly message: string;
  /** Its world as fixture text; null if its thread died. */
  readonly fixture: string | null;
}

/** All failures whose first violation was of the same invariant. */
export interface Finding {
  /** The failure of the lowest seed. */
  readonly first: Failure;
  readonly seeds: readonly number[];
  /** Null if it was not shrunk; `notShrunk` says why. */
  readonly shrunk: Shrunk | null;
  readonly notShrunk: string | null;
}

export interface Totals {
  readonly seeds: number;
  readonly twice: number;
  readonly steps: number;
  readonly simulatedMs: number;
  /** Total over all worlds. */
  readonly peers: number;
  readonly elapsedMs: number;
  readonly cpuMs: number;
}

export interface CampaignWatch {
  /** Called after each seed, in any order. `done`: the number of seeds run so far. */
  onRan?(ran: Ran, done: number): void;
  /** Called for the first failure of each kind. */
  onFailure?(failure: Failure): void;
  /** Called when all seeds have run and there are failures to shrink. */
  onShrinking?(): void;
}

export interface CampaignResult {
  readonly totals: Totals;
  /** Sorted by seed. */
  readonly findings: readonly Finding[];
  readonly interrupted: boolean;
}

export async function campaign(options: CampaignOptions, watch: CampaignWatch, signal: AbortSignal): Promise<CampaignResult> {
  await using lanes = new AsyncDisposableStack();
  const all = Array.from({ length: options.workers }, () => lanes.use(new NewLane(options)));
  const tally = new Tally();
  const end = options.from + options.seeds;
  const isOver = () => signal.aborted || tally.kinds >= options.mostInvariants;
  const epoch = options.steering === undefined ? options.seeds : EPOCH_SEEDS;
  for (let from = options.from; from < end && !isOver(); from += epoch)
    await runEpoch(all, { from, end: Math.min(end, from + epoch), isOver }, options, tally, watch, signal);
  const totals = tally.totals();
  const findings = tally.findings();
  if (findings.length > 0 && !signal.aborted) watch.onShrinking?.();
  const shrunk = await overLanes(all, findings, (lane, finding) => shrinkWith(lane, finding, options, signal));
  return { totals, findings: shrunk, interrupted: signal.aborted };
}

/** Seeds between two adjustments of the steering. */
const EPOCH_SEEDS = 100;

async function runEpoch(
  lanes: readonly Lane[],
  { from, end, isOver }: { readonly from: number; readonly end: number; readonly isOver: () => boolean },
  options: CampaignOptions,
  tally: Tally,
  watch: CampaignWatch,
  signal: AbortSignal,
): Promise<void> {
  const { steering, plant, twiceEvery, hangMs } = options;
  const rans: { seed: number; drawing: Drawing; reach: Reach }[] = [];
  let next = from;
  await Promise.all(
    lanes.map(async (lane) => {
      while (next < end && !isOver()) {
        const seed = next++;
        const drawing = steering?.drawingOf(seed) ?? options.drawing;
        const twice = twiceEvery > 0 && (seed - options.from) % twiceEvery === 0;
        const outcome = await lane.do({ kind: "run", seed, drawing, plant, twice }, signal);
        if (outcome.kind === "stopped" || signal.aborted) break;
        const ran = ranOf(seed, outcome, hangMs);
        rans.push({ seed, drawing, reach: ran.reach ?? [] });
        tally.add(ran, twice);
        watch.onRan?.(ran, tally.done);
        const failure = failureOf(ran, drawing);
        if (failure !== undefined && tally.addFailure(failure)) watch.onFailure?.(failure);
      }
    }),
  );
  steering?.learn(rans);
}

/** Turns an outcome into a run: a hung or dead thread becomes a violation. */
export function ranOf(seed: number, outcome: Outcome, hangMs: number): Ran {
  if (outcome.kind === "ran") return outcome;
  const violation = { atMs: 0, ...threadless(outcome, hangMs) };
  return { kind: "ran", seed, facts: null, violation, invariants: [violation.invariant], fixture: null, reach: null };
}

function threadless(outcome: Exclude<Outcome, Ran>, hangMs: number): { readonly invariant: string; readonly message: string } {
  switch (outcome.kind) {
    case "hung":
      return {
        invariant: RUNNER_INVARIANTS.hang,
        message: `simulated time did not advance for ${hangMs / 1_000} s; run abandoned`,
      };
    case "died":
      return { invariant: RUNNER_INVARIANTS.death, message: outcome.message };
    case "failed":
      return { invariant: RUNNER_INVARIANTS.broken, message: outcome.message };
    case "stopped":
    case "shrunk":
    case "replayed":
      return { invariant: RUNNER_INVARIANTS.broken, message: `unexpected answer from the worker: ${outcome.kind}` };
  }
}

export function failureOf({ seed, violation, fixture }: Ran, drawing: Drawing): Failure | undefined {
  return violation === null ? undefined : { seed, drawing, ...violation, fixture };
}

/** Shrinks the finding's fixture. A failure that kills its thread cannot be shrunk. */
export async function shrinkWith(
  lane: Lane,
  finding: Finding,
  { plant, shrinkRuns: maxRuns }: Pick<CampaignOptions, "plant" | "shrinkRuns">,
  signal: AbortSignal,
): Promise<Finding> {
  const { seed, drawing, invariant, fixture } = finding.first;
  if (fixture === null) return { ...finding, notShrunk: "the run kills its thread" };
  const outcome = await lane.do({ kind: "shrink", seed, drawing, plant, invariant, maxRuns }, signal);
  switch (outcome.kind) {
    case "shrunk":
      return { ...finding, shrunk: outcome };
    case "hung":
      return {
        ...finding,
        shrunk: outcome.interim ?? null,
        notShrunk: signal.aborted ? "interrupted" : "a smaller fixture hangs",
      };
    case "died":
      return { ...finding, shrunk: outcome.interim ?? null, notShrunk: `a smaller fixture kills its thread: ${outcome.message}` };
    case "failed":
      return { ...finding, notShrunk: outcome.message };
    case "stopped":
    case "ran":
    case "replayed":
      return { ...finding, notShrunk: "interrupted" };
  }
}

/** Each lane takes the next item in turn. Results are in the order of the items. */
export async function overLanes<Item, Result>(
  lanes: readonly Lane[],
  items: readonly Item[],
  work: (lane: Lane, item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const waiting = items.entries();
  await Promise.all(
    lanes.map(async (lane) => {
      for (const [index, item] of waiting) results[index] = await work(lane, item);
    }),
  );
  return results;
}

class Tally {
  readonly #startedMs = performance.now();
  readonly #cpu = process.cpuUsage();
  readonly #failures = new Map<string, Failure[]>();
  #seeds = 0;
  #twice = 0;
  #steps = 0;
  #simulatedMs = 0;
  #peers = 0;

  get done(): number {
    return this.#seeds;
  }

  get kinds(): number {
    return this.#failures.size;
  }

  add({ facts }: Ran, twice: boolean): void {
    this.#seeds += 1;
    if (facts === null) return;
    const runs = twice ? 2 : 1;
    if (twice) this.#twice += 1;
    this.#steps += facts.steps * runs;
    this.#simulatedMs += facts.simulatedMs * runs;
    this.#peers += facts.peers;
  }

  /** Returns true if the failure is the first of its kind. */
  addFailure(failure: Failure): boolean {
    const known = this.#failures.get(failure.invariant);
    if (known === undefined) this.#failures.set(failure.invariant, [failure]);
    else known.push(failure);
    return known === undefined;
  }

  findings(): Finding[] {
    return [...this.#failures.values()]
      .flatMap((failures): Finding[] => {
        const [first, ...others] = failures.sort((a, b) => a.seed - b.seed);
        if (first === undefined) return [];
        return [{ first, seeds: [first, ...others].map(({ seed }) => seed), shrunk: null, notShrunk: null }];
      })
      .sort((a, b) => a.first.seed - b.first.seed);
  }

  totals(): Totals {
    const { user, system } = process.cpuUsage(this.#cpu);
    return {
      seeds: this.#seeds,
      twice: this.#twice,
      steps: this.#steps,
      simulatedMs: this.#simulatedMs,
      peers: this.#peers,
      elapsedMs: performance.now() - this.#startedMs,
      cpuMs: (user + system) / 1_000,
    };
  }
}
