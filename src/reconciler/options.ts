/** The reconciler's options, its observer, and the progress that it reports for a key. */

import type { PeerId } from "../base/ids.ts";
import type { AttemptId, ObservedEvent, RunId } from "../events/types.ts";
import type { OpenFailure } from "./backoff.ts";
import type { Action, DecideOptions } from "./decide.ts";
import type { FaultOutcome, Outcome } from "./outcome.ts";

export interface ReconcilerOptions extends DecideOptions {
  /** Maximum number of concurrent opens. */
  readonly concurrency: number;
  /** Time limit for one open, from its start, not from when it was queued. */
  readonly openTimeoutMs: number;
  /** Time limit for one heartbeat's proof of life. */
  readonly renewTimeoutMs: number;
  /** Period of the full diff, with a random variation of up to ±20 %. */
  readonly resyncMs: number;
  /** The protocol named in OpenFailed events. */
  readonly protocol: string;
  /** Prefixes attempt ids. */
  readonly run: RunId;
}

export const DEFAULT_RECONCILER_OPTIONS = {
  concurrency: 64,
  openTimeoutMs: 5_000,
  renewTimeoutMs: 3_000,
  resyncMs: 5_000,
} as const;

/** Observes the reconciler. None of these may throw. */
export interface ReconcilerObserver {
  /** An attempt to open failed. Called for every failure; the log only records transitions. */
  observed(event: ObservedEvent): void;
  /** `attempt`: of an `open`, or of the outbound stream that is renewed or closed. */
  acted(peerId: PeerId, action: Action, attempt: AttemptId | null): void;
  settled(peerId: PeerId, outcome: Outcome): void;
  /** Called once for every internal error, even if its outcome is outdated and so not settled. */
  faulted(peerId: PeerId, fault: FaultOutcome): void;
  /** A full diff found work on a key that no wake had named. In a quiet daemon this stays 0. */
  resyncFound(peerId: PeerId): void;
}

/** The state of a key, for status. Times are monotonic ms. */
export interface KeyProgress {
  readonly opening: boolean;
  readonly attempts: number;
  readonly nextAttemptAtMs: number | null;
  readonly lastFailure: OpenFailure | null;
}
