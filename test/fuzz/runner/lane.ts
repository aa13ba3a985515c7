/** One worker thread as the command sees it: jobs in, answers out, even if an input hangs or ends the thread. */
import { Worker } from "node:worker_threads";
import { messageOf } from "../../../src/base/errors.ts";
import {
  type Answer,
  CurrentInput,
  type Failure,
  type FailureKind,
  HANG_CPU_MS,
  type Job,
  type WorkerSetup,
} from "./messages.ts";

const LOOK_EVERY_MS = 200;
const MOST_HEAP_MB = 1_024;

export interface LaneOptions extends Omit<WorkerSetup, "current"> {
  /** An input that waits for what never comes uses no processor, so it fails after this time. */
  readonly stuckMs: number;
}

interface Thread {
  readonly worker: Worker;
  readonly current: CurrentInput;
}

/** Takes one job at a time. */
export class Lane implements AsyncDisposable {
  readonly #options: LaneOptions;
  #thread: Thread | undefined;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Never rejects. After a failure that ended the thread, the next job gets a new one. */
  async do(job: Job): Promise<Answer> {
    this.#thread ??= start(this.#options);
    const outcome = await answerOf(this.#thread, job, this.#options.stuckMs);
    if ("answer" in outcome) return outcome.answer;
    await this[Symbol.asyncDispose]();
    return { done: 1, busyMs: 0, slowestMs: 0, heapBytes: 0, failure: outcome.failure };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.worker.terminate();
  }
}

function start({ targets, seeds, measureEveryMs }: LaneOptions): Thread {
  const current = CurrentInput.allocate();
  const worker = new Worker(new URL("worker.ts", import.meta.url), {
    workerData: { targets, seeds, measureEveryMs, current } satisfies WorkerSetup,
    resourceLimits: { maxOldGenerationSizeMb: MOST_HEAP_MB },
  });
  // An error after the answer is irrelevant, but without a listener it would end the process.
  worker.on("error", () => {});
  return { worker, current: new CurrentInput(current) };
}

type Outcome = { readonly answer: Answer } | { readonly failure: Failure };

function answerOf({ worker, current }: Thread, { target, ...job }: Job, stuckMs: number): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const fail = (kind: FailureKind, message: string) =>
    resolve({ failure: { target, kind, message, signature: kind, input: current.bytes } });
  const stopWatch = watch(worker, current, stuckMs, (message) => fail("hang", message));
  const onMessage = (answer: Answer) => resolve({ answer });
  const onError = (error: unknown) =>
    fail(Reflect.get(Object(error), "code") === "ERR_WORKER_OUT_OF_MEMORY" ? "out of memory" : "crash", messageOf(error));
  const onExit = (code: number) => fail("crash", `the thread exited with code ${code}`);
  worker.on("message", onMessage).once("error", onError).once("exit", onExit);
  worker.postMessage({ target, ...job });
  return promise.finally(() => {
    stopWatch();
    worker.off("message", onMessage).off("error", onError).off("exit", onExit);
  });
}

/** Calls `onHang` when one input has used too much processor time, or has made none for too long. Returns a function that stops it. */
function watch(worker: Worker, current: CurrentInput, stuckMs: number, onHang: (message: string) => void): () => void {
  let seen = { turn: current.turn, atMs: performance.now(), cpuMs: Number.NaN };
  const look = async (): Promise<void> => {
    const { turn } = current;
    const isRunning = turn % 2 === 1;
    if (!isRunning || turn !== seen.turn) {
      seen = { turn, atMs: performance.now(), cpuMs: Number.NaN };
      return;
    }
    const { user, system } = await worker.cpuUsage();
    const cpuMs = (user + system) / 1_000;
    if (turn !== seen.turn) return;
    if (Number.isNaN(seen.cpuMs)) seen = { ...seen, cpuMs };
    else if (cpuMs - seen.cpuMs > HANG_CPU_MS) onHang(`it takes more than ${HANG_CPU_MS} ms of processor time`);
    if (performance.now() - seen.atMs > stuckMs) onHang(`it has not ended for ${stuckMs / 1_000} s`);
  };
  const timer = setInterval(() => void look().catch(() => {}), LOOK_EVERY_MS);
  return () => clearInterval(timer);
}
