/** The HTTP API's response types, which the commands read too. Times are ISO 8601 in UTC, with milliseconds. */

import type { DeliveryGuarantee, GapReason, RollbackEvidence } from "../events/delivery/delivery-events.ts";
import type { LearnedFacts } from "../events/learned/learned-facts.ts";
import type { Effect, FailureFacts, Standing } from "../events/types.ts";
import type { Advice } from "./advice.ts";

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

export interface InboundView extends StreamView {
  /** False if it was admitted without the bandwidth challenge, which its far end does not speak (`p2p.challenge`). */
  readonly proven: boolean;
}

export interface PeerView {
  readonly peerId: string;
  readonly did: string | null;
  readonly name: string | null;
  /** As spelled in the newest event; null for a stranger. */
  readonly relation: string | null;
  readonly standing: Standing | null;
  /** As its record has it: one multiaddr, or several in the order to try them, separated by commas. */
  readonly address: string | null;
  /** Those that a partner's record names and TCP cannot dial. */
  readonly skippedAddresses: readonly string[];
  /** The phase of our outbound stream. */
  readonly phase: Phase;
  /** When the phase began, or the relation of a peer without streams; null for a stranger. */
  readonly since: string | null;
  readonly outbound: StreamView | null;
  readonly inbound: InboundView | null;
  readonly attempts: number;
  readonly nextAttemptAt: string | null;
  /** `message` is for people; the facts behind it have fields of their own. */
  readonly lastError: ({ readonly code: string; readonly message: string } & FailureFacts) | null;
  readonly desiredSeq: number | null;
}

export interface HistoryView {
  readonly seq: number;
  readonly at: string;
  readonly type: string;
  /** The app that published it, or `oc-partnerd` for what the daemon observed. */
  readonly app: string | null;
  /** The user that the app named; not verified. */
  readonly claimedUser: string | null;
  readonly effect: Effect | null;
  readonly relation: string | null;
  /** Of a PeerDesired: what its relation meant when it was decoded. */
  readonly standing: Standing | null;
  readonly direction: string | null;
  readonly reason: string | null;
  readonly message: string | null;
  /** Identifies an attempt to open our stream, in the log lines too. */
  readonly attempt: string | null;
  /** How long a closed stream was open, or an attempt took. */
  readonly durationMs: number | null;
  /** The desired event in force when it happened. Of an event by `reinterpret`: the message that was decoded again. */
  readonly causeSeq: number | null;
  /** The StreamOpened that a StreamClosed ends. */
  readonly openedSeq: number | null;
}

export interface PeersView {
  readonly peers: readonly PeerView[];
}

/** Facts that the peer's program has shown: its claims, in which text may contain any character. Null where they are not known. */
export interface LearnedView extends LearnedFacts {
  /** The event in the log, and its time. */
  readonly seq: number;
  readonly at: string;
  /** Settings to change because its dialect differs from ours; empty if none. */
  readonly advice: readonly Advice[];
}

export interface PeerDetailView extends PeerView {
  /** Null until its program has shown something, which only that of a partner is asked for. */
  readonly learned: LearnedView | null;
  /**
   * Whether it accepts our streams: its last choice, also while it is offline. False if it refused our stream, or ended it within 2 s;
   * null if it never had the choice, or not in its last 100 events.
   */
  readonly acceptsStreams: boolean | null;
  readonly history: readonly HistoryView[];
}

/** How events reach the log, and what the log can prove about it. */
export interface DeliveryView {
  /** Null until the daemon first connects to NATS. */
  readonly delivery: DeliveryGuarantee | null;
  /** `host:port` of the NATS server; null while not connected. */
  readonly server: string | null;
  /** True if newly published events reach the log. */
  readonly reading: boolean;
  /** Why events do not arrive, or arrive at most once. */
  readonly problem: { readonly code: string; readonly message: string; readonly nextStep: string | null } | null;
  readonly consumer: string;
  /** The JetStream stream that the log follows or last followed. The log has `firstSequence` to `sequence` except for `missing`. */
  readonly stream: {
    readonly name: string;
    readonly created: string;
    readonly firstSequence: number;
    readonly sequence: number;
  } | null;
  /** Number of stream messages that are not in the log yet; null if unknown. */
  readonly behind: number | null;
  /** Progress of a resync; null if none is running. */
  readonly rereading: { readonly sequence: number; readonly untilSequence: number } | null;
  /** Integer datatypes whose messages were ignored since the start, most frequent first. One may mean PEER. */
  readonly ignoredDatatypes: readonly { readonly datatype: string; readonly messages: number }[];
  /** The newest row of the log. */
  readonly headSeq: number;
  /** One phrase for people that says what is proven. */
  readonly proven: string;
  readonly missing: readonly {
    readonly reason: GapReason;
    readonly firstSequence: number;
    readonly lastSequence: number | null;
    readonly at: string;
    readonly message: string;
  }[];
  /** Each time the log turned out to be an older copy: the sequences that a later state of it had acknowledged. */
  readonly rollbacks: readonly {
    readonly reason: RollbackEvidence;
    readonly firstSequence: number;
    readonly lastSequence: number;
    readonly at: string;
    readonly message: string;
  }[];
  /** Periods by kind of delivery, oldest first. The last one is current. */
  readonly spans: readonly {
    readonly delivery: DeliveryGuarantee;
    readonly since: string;
    readonly until: string | null;
    readonly message: string;
  }[];
}

/** A health check. `message` is for people: the state, or the reason for failure. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly message: string;
}

export interface HealthView {
  readonly status: "ok" | "failing";
  readonly checks: readonly Check[];
}
