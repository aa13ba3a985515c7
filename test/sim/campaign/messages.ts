/** What the command and its workers say to each other. */
import type { Violation } from "../../../src/sim/simulate.ts";

/** What the command itself watches, besides the simulator's own invariants. */
export const RUNNER_INVARIANTS = {
  /** The same seed gave two different runs. */
  determinism: "same-seed-same-run",
  /** No step for so long that none is waited for. */
  hang: "every-run-ends",
  /** The thread of the run came to its end. */
  death: "no-uncaught-error",
  /** The simulator itself threw. */
  broken: "simulator-works",
} as const;

export interface WorkerSetup {
  readonly simulator: string;
  /** One float64 that grows as long as a run gets on; the command reads it also while the worker is stuck. */
  readonly progress: SharedArrayBuffer;
}

/** `plant`: the name of the bug that is planted; null for none. */
export type Job =
  | { readonly kind: "run"; readonly seed: number; readonly plant: string | null; readonly twice: boolean }
  | {
      readonly kind: "shrink";
      readonly seed: number;
      readonly plant: string | null;
      readonly invariant: string;
      readonly maxRuns: number;
    }
  | { readonly kind: "replay"; readonly fixture: string; readonly plant: string | null };

/** `stop`: the job under way ends as soon as it can. */
export type Order = Job | { readonly kind: "stop" };

interface RunFacts {
  readonly traceHash: string;
  readonly simulatedMs: number;
  readonly steps: number;
  readonly peers: number;
}

/** One seed has been run. */
export interface Ran {
  readonly kind: "ran";
  readonly seed: number;
  /** Null where the run did not come to its end. */
  readonly facts: RunFacts | null;
  /** The first one; the others may follow from it. */
  readonly violation: Violation | null;
  /** Every invariant that was violated. */
  readonly invariants: readonly string[];
  /** The world, as a fixture's text, where there is a violation. */
  readonly fixture: string | null;
}

export interface Shrunk {
  readonly kind: "shrunk";
  readonly fixture: string;
  /** Lines, the header included. */
  readonly lines: number;
  readonly runs: number;
}

/** One fixture has been run. */
interface Replayed {
  readonly kind: "replayed";
  readonly violations: readonly Violation[];
}

export type Answer =
  | Ran
  | Shrunk
  | Replayed
  | { readonly kind: "stopped" }
  | { readonly kind: "failed"; readonly message: string };
/** While a job is under way: what would be its answer if it ended now. */
export type Interim = Shrunk & { readonly interim: true };
