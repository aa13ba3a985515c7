/** The events of the log. Desired events record what was asked for, observed events what happened. */
import { CUT_REASONS, type ErrorCode } from "../base/errors.ts";
import type { Address, Did, PeerId, ResourceId } from "../base/ids.ts";
import type { CloneSeen, DeliveryEvent } from "./delivery/delivery-events.ts";
import type { PeerLearned } from "./learned/learned-facts.ts";
import type { IdentityChanged, LogArchived, LogReinterpreted, LogRestored } from "./upkeep/upkeep-facts.ts";

/**
 * The meaning of a relation. `partner`: keep a stream. `revoked`: keep none. `blacklisted`: keep none and refuse connections. Decided
 * when the event is decoded, and logged, so that changing the vocabulary does not rewrite history.
 */
export type Standing = "partner" | "revoked" | "blacklisted";

export type Direction = "outbound" | "inbound";

/** Why a stream ended. */
export const CLOSE_REASONS = [
  "revoked",
  "expired",
  "remote_closed",
  "reset",
  "connection_lost",
  "replaced",
  "protocol_violation",
  "unread",
  "shutdown",
  "daemon_restart",
  ...CUT_REASONS,
] as const;
export type CloseReason = (typeof CLOSE_REASONS)[number];

/** Why an event was rejected. */
export type RejectionReason =
  | "too_large"
  | "too_deep"
  | "not_json"
  | "not_an_object"
  | "field_missing"
  | "field_invalid"
  | "payload_not_json"
  | "address_missing"
  | "address_invalid"
  | "peer_id_invalid"
  | "peer_id_disagrees"
  | "peer_unknown"
  | "outdated";

/** An accepted CREATE_RESOURCE of a PEER, with any relation. */
export interface PeerDesired extends Omit<PeerRemoved, "type"> {
  readonly type: "PeerDesired";
  readonly name: string | null;
  /** As spelled in the event, in capitals; `UNKNOWN(7)` for an integer without a name. */
  readonly relation: string;
  readonly standing: Standing;
  readonly address: Address | null;
}

/** An accepted REMOVE_RESOURCE of a PEER. */
export interface PeerRemoved {
  readonly type: "PeerRemoved";
  readonly peerId: PeerId;
  readonly resourceId: ResourceId | null;
  readonly did: Did | null;
}

/** A message that was rejected. Its row keeps the bytes. */
export interface EventRejected {
  readonly type: "EventRejected";
  readonly reason: RejectionReason;
  /** The field, its value and the expectation, for people; programs never read it. */
  readonly message: string;
}

/** Identifies a run of the daemon; drawn when it starts, because its row may be written much later. */
export type RunId = string & { readonly [runId]: true };
declare const runId: unique symbol;

/** Identifies one attempt to open a stream: its run and a number counted from its start, for example `9f3c07ab.3`. */
export type AttemptId = string & { readonly [attemptId]: true };
declare const attemptId: unique symbol;

/** The clock that measured a duration. `wall`: the stream was still open when the daemon died, so only wall time is left. */
export type DurationClock = "monotonic" | "wall";

/** A partner stream was established: outbound after its first proof of life, inbound after the challenge. */
export interface StreamOpened {
  readonly type: "StreamOpened";
  readonly peerId: PeerId;
  readonly did: Did | null;
  readonly protocol: string;
  readonly direction: Direction;
  /** Null for an inbound stream. */
  readonly attempt: AttemptId | null;
  /** How long opening took (monotonic); null for an inbound stream. */
  readonly durationMs: number | null;
}

/** A partner stream ended. Its row names the StreamOpened in `opened_seq`. */
export interface StreamClosed {
  readonly type: "StreamClosed";
  readonly peerId: PeerId;
  readonly protocol: string;
  readonly direction: Direction;
  readonly reason: CloseReason;
  /** The attempt that opened it; null for an inbound stream. */
  readonly attempt: AttemptId | null;
  /** How long the stream was open. */
  readonly durationMs: number;
  readonly durationClock: DurationClock;
}

/** The facts of a failed attempt or a lost stream, beside its error code. */
export interface FailureFacts {
  /** How the stream ended; null if there was none yet, or we ended it ourselves. */
  readonly streamEnd: CloseReason | null;
  /** The error of the system or a library, such as `ECONNREFUSED`, or why an address is denied, such as `link_local`; else null. */
  readonly errorName: string | null;
}

/** An attempt to open failed, for a different reason than the attempt before it. */
export interface OpenFailed {
  readonly type: "OpenFailed";
  readonly peerId: PeerId;
  readonly protocol: string;
  readonly reason: ErrorCode;
  /** The error's text, for people; programs never read it. */
  readonly message: string;
  readonly attempt: AttemptId;
  /** How long the attempt took (monotonic). */
  readonly durationMs: number;
  readonly details: FailureFacts;
}

/** We refused a peer's connection or stream, for a different reason than the refusal before it. */
export interface InboundRefused {
  readonly type: "InboundRefused";
  readonly peerId: PeerId;
  readonly protocol: string;
  readonly reason: ErrorCode;
  /** The error's text, for people; programs never read it. */
  readonly message: string;
}

/** How many observed events of one type and reason were counted instead of logged. */
export interface SuppressedCount {
  readonly type: ObservedEvent["type"];
  /** Null for a StreamOpened. */
  readonly reason: CloseReason | ErrorCode | null;
  readonly events: number;
}

export type SuppressionReason = "log_unwritable";

export interface SuppressedFacts {
  readonly events: number;
  /** The number of different peers; a lower bound from 16,384 on. */
  readonly peers: number;
  /** The most frequent first. */
  readonly counts: readonly SuppressedCount[];
}

/**
 * Observed events that exceeded the row budget of all strangers, or that of one known peer for its failures, were counted instead of
 * logged, for `durationMs` (monotonic). One of them is logged later if it opened a stream whose peer is then named by an event.
 * With the reason `log_unwritable` they were dropped because too many waited for the disk.
 */
export interface EventsSuppressed {
  readonly type: "EventsSuppressed";
  /** Null for the events of strangers. */
  readonly peerId: PeerId | null;
  /** Null if they exceeded a row budget. */
  readonly reason: SuppressionReason | null;
  readonly durationMs: number;
  readonly details: SuppressedFacts;
}

/** How the previous run ended. `unclean`: it was killed, or could not write its last row. */
export type LastRun = "first_start" | "clean" | "unclean";

/** The program and its settings, as recorded by a start. */
export interface StartFacts {
  readonly run: RunId;
  /** Ours; undefined in rows of versions that did not record it. */
  readonly peerId?: PeerId | undefined;
  readonly version: string;
  /** The number of migrations applied to the database. */
  readonly schema: number;
  /** SHA-256 of the effective configuration without its secrets, as JSON. */
  readonly configSha256: string;
  /** That configuration; null if it is unchanged since the previous start. */
  readonly config: Readonly<Record<string, unknown>> | null;
}

/** The daemon started. */
export interface DaemonStarted {
  readonly type: "DaemonStarted";
  readonly reason: LastRun;
  readonly details: StartFacts;
}

/** The daemon shut down cleanly, `durationMs` (monotonic) after it started. */
interface DaemonStopped {
  readonly type: "DaemonStopped";
  readonly durationMs: number;
}

export type DesiredEvent = PeerDesired | PeerRemoved;
export type ObservedEvent = StreamOpened | StreamClosed | OpenFailed | InboundRefused;
type RunEvent = DaemonStarted | DaemonStopped;
export type LogEvent =
  | DesiredEvent
  | EventRejected
  | ObservedEvent
  | EventsSuppressed
  | PeerLearned
  | DeliveryEvent
  | CloneSeen
  | LogArchived
  | LogReinterpreted
  | IdentityChanged
  | LogRestored
  | RunEvent;

/** Whether a desired event changed the desired state. */
export type Effect = "changed" | "unchanged";

/** One peer of the desired state: the fold of all its desired events. */
export interface DesiredPeer extends Omit<PeerDesired, "type"> {
  /** The seq of the newest event that changed anything about this peer. */
  readonly desiredSeq: number;
  /** The seq of the newest event that changed its relation, standing or address. It resets backoff and outdates work in flight. */
  readonly generation: number;
  /** Wall time of that event. */
  readonly sinceMs: number;
  /** The seq and wall time of the event that gave it its present standing. */
  readonly standingSeq: number;
  readonly standingSinceMs: number;
}
