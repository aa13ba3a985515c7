/** One worker thread as the command sees it: jobs in, answers out, even if the thread hangs or dies. */
import { Worker } from "node:worker_threads";
import { messageOf } from "../../../src/base/errors.ts";
import type { Answer, Interim, Job, Order, Shrunk, WorkerSetup } from "./messages.ts";

export interface LaneOptions {
  readonly simulator: string;
  /** A run without progress for this long is abandoned. */
  readonly hangMs: number;
  /** Whether to measure which code each run reaches; default no. */
  readonly measures?: boolean;
}

/** `hung` and `died`: the thread is gone, and the next job gets a new one. `interim`: its result up to then. */
export type Outcome =
  | Answer
  | { readonly kind: "hung"; readonly interim: Shrunk | undefined }
  | { readonly kind: "died"; readonly message: string; readonly interim: Shrunk | undefined };

/** A thread's memory is checked after this many runs; it is replaced if the process has grown by `GROWTH_BYTES` since it started. */
const LOOK_AFTER_RUNS = 200;
const GROWTH_BYTES = 256 * 1024 * 1024;
/** A run needs a tenth of it. A runaway run must kill its thread, not exhaust the machine. */
const MOST_HEAP_MB = 1_024;
/** Time for a new thread to load its modules. */
const START_MS = 60_000;
/** Time for a thread to clean up after it is told to stop. */
const STOP_MS = 2_000;

interface Thread {
  readonly worker: Worker;
  readonly progress: Float64Array;
  readonly rssBytes: number;
  runs: number;
}

/** Takes one job at a time. */
export class Lane implements AsyncDisposable {
  readonly #options: LaneOptions;
  #thread: Thread | undefined;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Never rejects. Resolves to `stopped` soon after `signal` aborts, unless the job has already ended. */
  async do(job: Job, signal: AbortSignal): Promise<Outcome> {
    if (signal.aborted) return { kind: "stopped" };
    const thread = this.#thread ?? this.#start();
    this.#thread = thread;
    const outcome = await this.#outcome(thread, job, signal);
    thread.runs += 1;
    const isGone = outcome.kind === "hung" || outcome.kind === "died";
    if (isGone || this.#hasGrown(thread)) await this[Symbol.asyncDispose]();
    return outcome;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.worker.terminate();
  }

  #start(): Thread {
    const progress = new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT);
    const { simulator, measures = false } = this.#options;
    const setup: WorkerSetup = { simulator, progress, measures };
    const worker = new Worker(new URL("worker.ts", import.meta.url), {
      workerData: setup,
      resourceLimits: { maxOldGenerationSizeMb: MOST_HEAP_MB },
    });
    // An error after the answer is irrelevant, but without a listener it would end the process.
    worker.on("error", () => {});
    return { worker, progress: new Float64Array(progress), rssBytes: process.memoryUsage.rss(), runs: 0 };
  }

  #outcome({ worker, progress }: Thread, job: Job, signal: AbortSignal): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    let interim: Shrunk | undefined;
    let last = { progress: progress[0], atMs: performance.now() };
    const { hangMs } = this.#options;
    const limitMs = (progressed: number | undefined) => (progressed === 0 ? Math.max(START_MS, hangMs) : hangMs);
    const watch = setInterval(
      () => {
        if (progress[0] !== last.progress) last = { progress: progress[0], atMs: performance.now() };
        else if (performance.now() - last.atMs >= limitMs(last.progress)) resolve({ kind: "hung", interim });
      },
      Math.min(1_000, hangMs / 4),
    );
    const onMessage = (message: Answer | Interim) => {
      if ("interim" in message) interim = message;
      else resolve(message);
    };
    const onError = (error: unknown) => resolve({ kind: "died", message: messageOf(error), interim });
    const onExit = (code: number) => resolve({ kind: "died", message: `the thread exited with code ${code}`, interim });
    let grace: NodeJS.Timeout | undefined;
    const onAbort = () => {
      worker.postMessage({ kind: "stop" } satisfies Order);
      grace = setTimeout(() => resolve({ kind: "hung", interim }), STOP_MS);
    };
    worker.on("message", onMessage).once("error", onError).once("exit", onExit);
    signal.addEventListener("abort", onAbort, { once: true });
    worker.postMessage(job);
    return promise.finally(() => {
      clearInterval(watch);
      clearTimeout(grace);
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
      signal.removeEventListener("abort", onAbort);
    });
  }

  #hasGrown({ runs, rssBytes }: Thread): boolean {
    return runs % LOOK_AFTER_RUNS === 0 && process.memoryUsage.rss() - rssBytes > GROWTH_BYTES;
  }
}
