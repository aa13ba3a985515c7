/** Messages between the command and its workers. */
import type { Violation } from "../../../src/sim/simulate.ts";
import type { Reach } from "../reach/reached.ts";
import type { Drawing } from "../worlds/generate.ts";

/** Invariants that the command checks, in addition to those of the simulator. */
export const RUNNER_INVARIANTS = {
  /** The same seed gave two different runs. */
  determinism: "same-seed-same-run",
  /** A run made no progress for too long. */
  hang: "every-run-ends",
  /** The thread of the run died. */
  death: "no-uncaught-error",
  /** The simulator itself threw. */
  broken: "simulator-works",
} as const;

export interface WorkerSetup {
  readonly simulator: string;
  /** One float64 that grows while a run makes progress. Shared, so that the command can read it while the worker is stuck. */
  readonly progress: SharedArrayBuffer;
  /** Whether to measure which code each run reaches. */
  readonly measures: boolean;
}

/** `plant`: the name of the planted bug; null for none. */
export type Job =
  | {
      readonly kind: "run";
      readonly seed: number;
      readonly drawing: Drawing;
      readonly plant: string | null;
      readonly twice: boolean;
    }
  | {
      readonly kind: "shrink";
      readonly seed: number;
      readonly drawing: Drawing;
      readonly plant: string | null;
      readonly invariant: string;
      readonly maxRuns: number;
    }
  | { readonly kind: "replay"; readonly fixture: string; readonly plant: string | null };

/** `stop`: end the current job as soon as possible. */
export type Order = Job | { readonly kind: "stop" };

interface RunFacts {
  readonly traceHash: string;
  readonly simulatedMs: number;
  readonly steps: number;
  readonly peers: number;
}

/** The result of running one seed. */
export interface Ran {
  readonly kind: "ran";
  readonly seed: number;
  /** Null if the run did not complete. */
  readonly facts: RunFacts | null;
  /** The first violation; later ones may follow from it. */
  readonly violation: Violation | null;
  /** Every invariant that was violated. */
  readonly invariants: readonly string[];
  /** The world as fixture text; null if nothing was violated. */
  readonly fixture: string | null;
  /** Code that no earlier run of its thread reached; null if that is not measured. */
  readonly reach: Reach | null;
}

export interface Shrunk {
  readonly kind: "shrunk";
  readonly fixture: string;
  /** Number of lines, including the header. */
  readonly lines: number;
  readonly runs: number;
}

/** The result of running one fixture. */
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
/** The best answer so far of a job in progress. */
export type Interim = Shrunk & { readonly interim: true };
