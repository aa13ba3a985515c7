/** A worker thread of the command: runs one job at a time. */
import { parentPort, workerData } from "node:worker_threads";
import { messageOf } from "../../../src/base/errors.ts";
import { formatFixture, parseFixture } from "../../../src/fixture/format/parse.ts";
import type { Fixture } from "../../../src/fixture/format/schema.ts";
import type { ShrinkProgress } from "../../../src/fixture/shrink/search.ts";
import { shrink } from "../../../src/fixture/shrink/shrink.ts";
import type { SimResult, Violation } from "../../../src/sim/simulate.ts";
import { plantOf } from "../plants/all.ts";
import { Meter } from "../reach/meter.ts";
import { loadGenerate, loadSimulate, type Simulate } from "../simulator.ts";
import { type Answer, type Interim, type Job, type Order, type Ran, RUNNER_INVARIANTS, type WorkerSetup } from "./messages.ts";

/** A simulated network creates many errors, and capturing their stacks would dominate the run time. `replay` captures them. */
Error.stackTraceLimit = 0;

const { simulator, progress, measures } = workerData as WorkerSetup;
const progressed = new Float64Array(progress);
/** Started before the simulator is loaded. */
const meter = measures ? Meter.start() : undefined;
const simulators = new Map<string | null, Promise<Simulate>>();
let underWay: AbortController | undefined;

parentPort?.on("message", (order: Order) => {
  if (order.kind === "stop") underWay?.abort(new Error("stopped"));
  else void answer(order);
});

async function answer(job: Job): Promise<void> {
  const controller = new AbortController();
  underWay = controller;
  say(await perform(job, controller.signal));
}

async function perform(job: Job, signal: AbortSignal): Promise<Answer> {
  try {
    switch (job.kind) {
      case "run":
        return await run(job, signal);
      case "shrink":
        return await shrunk(job, signal);
      case "replay":
        return await replayed(job, signal);
    }
  } catch (thrown) {
    if (signal.aborted) return { kind: "stopped" };
    return { kind: "failed", message: messageOf(thrown) };
  }
}

function say(message: Answer | Interim): void {
  parentPort?.postMessage(message);
}

function simulateWith(plant: string | null): Promise<Simulate> {
  const known = simulators.get(plant);
  if (known !== undefined) return known;
  const loaded = loadSimulate(simulator, plant === null ? undefined : plantOf(plant));
  simulators.set(plant, loaded);
  return loaded;
}

async function run({ seed, drawing, plant, twice }: Job & { kind: "run" }, signal: AbortSignal): Promise<Ran> {
  await meter;
  const simulate = await simulateWith(plant);
  const fixture = (await loadGenerate(simulator))(seed, drawing);
  const first = await observed(simulate, fixture, signal);
  const violations = [...first.violations];
  if (twice && first.result !== undefined) {
    const second = await observed(simulate, fixture, signal);
    const difference = firstDifference(first.result, second.result);
    if (difference !== undefined) violations.push({ invariant: RUNNER_INVARIANTS.determinism, atMs: 0, message: difference });
  }
  const { result } = first;
  return {
    kind: "ran",
    seed,
    facts: result === undefined ? null : factsOf(result),
    violation: violations[0] ?? null,
    invariants: [...new Set(violations.map(({ invariant }) => invariant))],
    fixture: violations.length === 0 ? null : formatFixture(fixture),
    reach: (await (await meter)?.take()) ?? null,
  };
}

async function replayed({ fixture, plant }: Job & { kind: "replay" }, signal: AbortSignal): Promise<Answer> {
  const { violations } = await observed(await simulateWith(plant), parseFixture(fixture, "fixture"), signal);
  return { kind: "replayed", violations };
}

async function shrunk(job: Job & { kind: "shrink" }, signal: AbortSignal): Promise<Answer> {
  const { seed, drawing, plant, invariant, maxRuns } = job;
  const broken = await simulateWith(plant);
  const sound = await simulateWith(null);
  const fails = async (simulate: Simulate, fixture: Fixture): Promise<boolean> => {
    const { result, violations } = await observed(simulate, fixture, signal);
    if (invariant !== RUNNER_INVARIANTS.determinism) return violations.some((violation) => violation.invariant === invariant);
    if (result === undefined) return false;
    const { result: again } = await observed(simulate, fixture, signal);
    return firstDifference(result, again) !== undefined;
  };
  // A fixture that also fails without the bug says nothing about the bug.
  const stillFails = async (fixture: Fixture) =>
    (await fails(broken, fixture)) && (plant === null || !(await fails(sound, fixture)));

  let smallest: Fixture | undefined;
  let runs = 0;
  const onProgress = (step: ShrinkProgress) => {
    runs = step.runs;
    if (step.smallest === smallest) return;
    smallest = step.smallest;
    say({ ...shrunkTo(smallest, runs), interim: true });
  };
  const whole = (await loadGenerate(simulator))(seed, drawing);
  const fixture = await shrink(whole, stillFails, { signal, maxRuns, onProgress });
  return shrunkTo(fixture, runs);
}

function shrunkTo(fixture: Fixture, runs: number) {
  return { kind: "shrunk", fixture: formatFixture(fixture), lines: fixture.lines.length + 1, runs } as const;
}

/** Turns a run that throws into one with a violation and no result. */
async function observed(
  simulate: Simulate,
  fixture: Fixture,
  signal: AbortSignal,
): Promise<{ readonly result: SimResult | undefined; readonly violations: readonly Violation[] }> {
  // Each run counts as progress, even if it is shorter than the previous one.
  const base = Math.ceil((progressed[0] ?? 0) + 1);
  progressed[0] = base;
  let latestMs = 0;
  const onProgress = (atMs: number) => {
    latestMs = atMs;
    progressed[0] = base + atMs;
  };
  try {
    const result = await simulate(fixture, { signal, onProgress });
    return { result, violations: result.violations };
  } catch (thrown) {
    signal.throwIfAborted();
    const message = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    return { result: undefined, violations: [{ invariant: RUNNER_INVARIANTS.broken, atMs: latestMs, message }] };
  }
}

function factsOf({ traceHash, simulatedMs, steps, peers }: SimResult) {
  return { traceHash, simulatedMs, steps, peers };
}

/** Undefined if the runs are the same. */
function firstDifference(first: SimResult, second: SimResult | undefined): string | undefined {
  if (second === undefined) return "the second run threw";
  if (first.traceHash === second.traceHash) return undefined;
  const length = Math.max(first.trace.length, second.trace.length);
  for (let index = 0; index < length; index++) {
    const [one, other] = [first.trace[index], second.trace[index]];
    if (one !== other) return `trace line ${index + 1} is ${shown(one)}, but ${shown(other)} in the second run`;
  }
  return `all ${length} trace lines are equal, but the trace hashes differ: ${first.traceHash}, ${second.traceHash}`;
}

const shown = (line: string | undefined): string => (line === undefined ? "missing" : JSON.stringify(line.trim()));
