/** A worker thread of the command: runs inputs one after the other, until one fails. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { parentPort, workerData } from "node:worker_threads";
import { messageOf } from "../../../src/base/errors.ts";
import { inputOf } from "../engine/generate.ts";
import { seedsOf } from "../engine/seeds.ts";
import { Broken, type Target } from "../target.ts";
import { type Answer, CurrentInput, type Failure, HANG_CPU_MS, type Job, type WorkerSetup } from "./messages.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const setup = workerData as WorkerSetup;
const current = new CurrentInput(setup.current);
const { TARGETS } = (await import(setup.targets)) as { readonly TARGETS: readonly Target[] };
const seeds = new Map<string, readonly Uint8Array[]>();
let measuredMs = Number.NEGATIVE_INFINITY;
let heapBytes = 0;

/** Errors that no one awaits would end the daemon. Each belongs to the input that runs, or to the one before it. */
const uncaught: unknown[] = [];
process.on("uncaughtException", (error) => uncaught.push(error));
process.on("unhandledRejection", (error) => uncaught.push(error));

parentPort?.on("message", (job: Job) => {
  void perform(job).then((answer) => parentPort?.postMessage(answer));
});

async function perform(job: Job): Promise<Answer> {
  const target = TARGETS.find(({ name }) => name === job.target);
  if (target === undefined) throw new Error(`there is no target ${job.target}`);
  const startedMs = performance.now();
  const endMs = job.kind === "make" ? startedMs + job.budgetMs : Number.POSITIVE_INFINITY;
  let [done, slowestMs] = [0, 0];
  let failure: Failure | undefined;
  for (const input of inputsOf(job, target)) {
    const { cpuMs, failure: found } = await runOne(target, input);
    done += 1;
    slowestMs = Math.max(slowestMs, cpuMs);
    failure = found;
    if (failure !== undefined || performance.now() > endMs) break;
  }
  const busyMs = performance.now() - startedMs;
  if (performance.now() - measuredMs > setup.measureEveryMs) await measure();
  return { done, busyMs, slowestMs, heapBytes, failure };
}

function* inputsOf(job: Job, target: Target): Generator<Uint8Array> {
  if (job.kind === "run") yield* job.inputs;
  else
    for (let index = job.from; index < job.from + job.count; index++) yield inputOf(target, seedBytesOf(target), job.seed, index);
}

function seedBytesOf({ name }: Target): readonly Uint8Array[] {
  const known = seeds.get(name);
  if (known !== undefined) return known;
  const read = seedsOf(setup.seeds, name).map(({ bytes }) => bytes);
  seeds.set(name, read);
  return read;
}

async function runOne(
  target: Target,
  input: Uint8Array,
): Promise<{ readonly cpuMs: number; readonly failure: Failure | undefined }> {
  current.started(input);
  const before = process.threadCpuUsage();
  let failure: Failure | undefined;
  try {
    await target.run(input);
    // Node reports an error that no one awaits only after all microtasks.
    await new Promise((resolve) => setImmediate(resolve));
  } catch (thrown) {
    failure = failureOf(target, input, thrown);
  }
  const { user, system } = process.threadCpuUsage(before);
  const cpuMs = (user + system) / 1_000;
  if (uncaught.length > 0) failure ??= failureOf(target, input, uncaught[0]);
  uncaught.length = 0;
  current.ended();
  if (failure === undefined && cpuMs > HANG_CPU_MS)
    failure = {
      target: target.name,
      kind: "hang",
      message: `it took ${Math.round(cpuMs)} ms of processor time`,
      signature: "hang",
      input,
    };
  return { cpuMs, failure };
}

function failureOf({ name }: Target, input: Uint8Array, thrown: unknown): Failure {
  const isBroken = thrown instanceof Broken;
  const stack = thrown instanceof Error ? (thrown.stack ?? "") : "";
  const place = /\/((?:src|node_modules|test)\/[^\s)]+)/.exec(stack.replaceAll(/.*test\/fuzz\/target\.ts.*/g, ""))?.[1] ?? "";
  const kind = isBroken ? "broken promise" : "crash";
  const message = isBroken ? messageOf(thrown) : stack === "" ? String(thrown) : stack.split("\n").slice(0, 6).join("\n");
  const type = thrown instanceof Error ? thrown.name : typeof thrown;
  return { target: name, kind, message, signature: `${kind} ${type} ${place}`, input };
}

/** Collects twice, because the first collection only queues the finalizers of buffers. */
async function measure(): Promise<void> {
  collect();
  await new Promise((resolve) => setTimeout(resolve, 10));
  collect();
  const { heapUsed, external } = process.memoryUsage();
  heapBytes = heapUsed + external;
  measuredMs = performance.now();
}
