/** The shapes of the HTTP API, which are also what the commands read. Times are ISO-8601 UTC with milliseconds (DESIGN: HTTP). */

import type { Effect, Standing } from "../events/types.ts";

export interface SelfView {
  readonly peerId: string;
  readonly addresses: readonly string[];
  readonly name: string;
  readonly did: string;
  readonly version: string;
  readonly startedAt: string;
}

export type Phase = "established" | "opening" | "backoff" | "closed";

export interface StreamView {
  readonly openedAt: string;
  readonly expiresAt: string;
}

export interface PeerView {
  readonly peerId: string;
  readonly did: string | null;
  readonly name: string | null;
  /** As the newest event spelled it; null for a peer that is only seen. */
  readonly relation: string | null;
  readonly standing: Standing | null;
  readonly address: string | null;
  /** Of our outbound stream. */
  readonly phase: Phase;
  /** Since when the phase, or for a peer without streams its relation, holds; null for a peer that is only seen. */
  readonly since: string | null;
  readonly outbound: StreamView | null;
  readonly inbound: StreamView | null;
  readonly attempts: number;
  readonly nextAttemptAt: string | null;
  readonly lastError: { readonly code: string; readonly message: string } | null;
  readonly desiredSeq: number | null;
}

export interface HistoryView {
  readonly seq: number;
  readonly at: string;
  readonly type: string;
  readonly source: string | null;
  /** The user that the app named; nobody verified it. */
  readonly claimedUser: string | null;
  readonly effect: Effect | null;
  readonly relation: string | null;
  readonly direction: string | null;
  readonly reason: string | null;
  readonly message: string | null;
  /** Identifies an attempt to open our stream, in the log lines too. */
  readonly attempt: string | null;
  /** How long a closed stream was open, or an attempt took. */
  readonly durationMs: number | null;
  /** The desired event in force when it happened. */
  readonly causeSeq: number | null;
  /** The StreamOpened that a StreamClosed ends. */
  readonly openedSeq: number | null;
}

export interface PeersView {
  readonly peers: readonly PeerView[];
}

export interface PeerDetailView extends PeerView {
  readonly history: readonly HistoryView[];
}

/** How events reach the log, and what the log can prove of that. */
export interface DeliveryView {
  /** Null until the daemon was connected to NATS once. */
  readonly delivery: "at-most-once" | "at-least-once" | null;
  /** Whether what is published now comes to the log by itself. */
  readonly reading: boolean;
  /** Why it does not, or why it comes at most once. */
  readonly problem: { readonly code: string; readonly message: string; readonly nextStep: string | null } | null;
  readonly consumer: string;
  /** The JetStream stream that the log follows, or followed last: all of it from `firstSequence` to `sequence` but for what is `missing`. */
  readonly stream: {
    readonly name: string;
    readonly created: string;
    readonly firstSequence: number;
    readonly sequence: number;
  } | null;
  /** Messages of the stream that are not in the log yet; null where that is not known. */
  readonly behind: number | null;
  /** How far a resync is; null while there is none. */
  readonly rereading: { readonly sequence: number; readonly untilSequence: number } | null;
  /** The newest row of the log. */
  readonly headSeq: number;
  /** In one phrase, for people. */
  readonly proven: string;
  readonly missing: readonly {
    readonly reason: "purged" | "recreated" | "reused";
    readonly firstSequence: number;
    readonly lastSequence: number | null;
    readonly at: string;
    readonly message: string;
  }[];
  /** How events came when, oldest first; the last one lasts. */
  readonly spans: readonly {
    readonly delivery: "at-most-once" | "at-least-once";
    readonly since: string;
    readonly until: string | null;
    readonly message: string;
  }[];
}

/** One thing that health depends on. `message` is for people and says why it fails, or how it is. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly message: string;
}

export interface HealthView {
  readonly status: "ok" | "failing";
  readonly checks: readonly Check[];
}
