/** What the loop is told, what it tells of itself, and how far it says a key has got. */

import type { PeerId } from "../base/ids.ts";
import type { AttemptId, ObservedEvent } from "../events/types.ts";
import type { OpenFailure } from "./backoff.ts";
import type { Action, DecideOptions } from "./decide.ts";
import type { Outcome } from "./outcome.ts";

export interface ReconcilerOptions extends DecideOptions {
  /** How many opens may be under way at once. */
  readonly concurrency: number;
  /** How long one open may take, from when it starts, not from when it was queued. */
  readonly openTimeoutMs: number;
  /** How long one heartbeat may wait for its proof of life. */
  readonly renewTimeoutMs: number;
  /** The period of the full diff; each is scaled by up to ±20 %. */
  readonly resyncMs: number;
  /** The protocol that OpenFailed events name. */
  readonly protocol: string;
  /** The seq of this run's DaemonStarted, with which attempt ids begin. */
  readonly run: number;
}

export const DEFAULT_RECONCILER_OPTIONS = {
  concurrency: 64,
  openTimeoutMs: 5_000,
  renewTimeoutMs: 3_000,
  resyncMs: 5_000,
  run: 0,
} as const;

/** Hears what the loop does. None of these may throw. */
export interface ReconcilerObserver {
  /** An attempt to open failed. The log keeps transitions only; the observer decides what is one. */
  observed(event: ObservedEvent): void;
  /** `attempt` identifies an `open`; null for any other action. */
  acted(peerId: PeerId, action: Action, attempt: AttemptId | null): void;
  settled(peerId: PeerId, outcome: Outcome): void;
  /** A full diff found work on a key that no wake had named; in a quiet daemon this stays 0. */
  resyncFound(peerId: PeerId): void;
}

/** How far a key has got, for status. Times are monotonic ms. */
export interface KeyProgress {
  readonly opening: boolean;
  readonly attempts: number;
  readonly nextAttemptAtMs: number | null;
  readonly lastFailure: OpenFailure | null;
}
