/** Messages between the command and its workers, and the memory that they share. */

/** The longest input. */
const MAX_INPUT_BYTES = 512 * 1_024;
/** More processor time than this for one input is a hang. */
export const HANG_CPU_MS = 1_000;

export interface WorkerSetup {
  /** The module that exports TARGETS. */
  readonly targets: string;
  /** The folder of the seeds. */
  readonly seeds: string;
  /** Between two measurements of the heap, since a full collection takes as long as hundreds of inputs. */
  readonly measureEveryMs: number;
  readonly current: SharedArrayBuffer;
}

/** `make`: inputs from number `from` on, for at most `budgetMs` or `count`. `run`: these inputs, all of them. */
export type Job =
  | {
      readonly kind: "make";
      readonly target: string;
      readonly seed: number;
      readonly from: number;
      readonly count: number;
      readonly budgetMs: number;
    }
  | { readonly kind: "run"; readonly target: string; readonly inputs: readonly Uint8Array[] };

export type FailureKind = "crash" | "broken promise" | "hang" | "growth" | "out of memory";

export interface Failure {
  readonly target: string;
  readonly kind: FailureKind;
  /** For people. */
  readonly message: string;
  /** The same for inputs that fail in the same way. */
  readonly signature: string;
  /** Empty if no single input is the cause. */
  readonly input: Uint8Array;
}

/** The worker stops at the first failure. */
export interface Answer {
  readonly done: number;
  /** Time spent with inputs. */
  readonly busyMs: number;
  readonly slowestMs: number;
  readonly heapBytes: number;
  readonly failure: Failure | undefined;
}

const STATE_BYTES = 8;

/** The input that runs, written by the worker and read by the command when the worker is stuck. */
export class CurrentInput {
  readonly #state: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(shared: SharedArrayBuffer) {
    this.#state = new Int32Array(shared, 0, 2);
    this.#bytes = new Uint8Array(shared, STATE_BYTES);
  }

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(STATE_BYTES + MAX_INPUT_BYTES);
  }

  /** A number that changes with each input; even while none runs. */
  get turn(): number {
    return Atomics.load(this.#state, 0);
  }

  get bytes(): Uint8Array {
    return this.#bytes.slice(0, Atomics.load(this.#state, 1));
  }

  started(input: Uint8Array): void {
    this.#bytes.set(input.subarray(0, MAX_INPUT_BYTES));
    Atomics.store(this.#state, 1, Math.min(input.length, MAX_INPUT_BYTES));
    Atomics.add(this.#state, 0, 1);
  }

  ended(): void {
    Atomics.add(this.#state, 0, 1);
  }
}
