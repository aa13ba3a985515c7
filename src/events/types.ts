/** The events of the log. Desired events say what was asked; observed events say what happened. */
import type { ErrorCode } from "../base/errors.ts";
import type { Address, Did, PeerId, ResourceId } from "../base/ids.ts";

/**
 * What a relation means to us. `partner`: keep a stream. `revoked`: keep none. `blacklisted`: keep none and refuse
 * connections. It is decided once, when the event is decoded, and logged: a later change of the vocabulary does not rewrite history.
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
  "shutdown",
  "daemon_restart",
] as const;
export type CloseReason = (typeof CLOSE_REASONS)[number];

/** Why an event could not be used. */
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

/** An accepted CREATE_RESOURCE of a PEER, whatever its relation. */
export interface PeerDesired extends Omit<PeerRemoved, "type"> {
  readonly type: "PeerDesired";
  readonly name: string | null;
  /** As the event spelled it, in capitals; `UNKNOWN(7)` for an integer without a name. */
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

/** What could not be decoded. The bytes are kept beside it: nothing is lost. */
export interface EventRejected {
  readonly type: "EventRejected";
  readonly reason: RejectionReason;
  readonly message: string;
}

/** A partner stream is established: outbound after its first proof of life, inbound after the challenge passed. */
export interface StreamOpened {
  readonly type: "StreamOpened";
  readonly peerId: PeerId;
  readonly did: Did | null;
  readonly protocol: string;
  readonly direction: Direction;
}

/** That stream ended. Its `cause_seq` in the log is the StreamOpened it ends. */
export interface StreamClosed {
  readonly type: "StreamClosed";
  readonly peerId: PeerId;
  readonly protocol: string;
  readonly direction: Direction;
  readonly reason: CloseReason;
}

/** An attempt to open failed, for another reason than the attempt before it. */
export interface OpenFailed {
  readonly type: "OpenFailed";
  readonly peerId: PeerId;
  readonly protocol: string;
  readonly reason: ErrorCode;
  readonly message: string;
}

/** Somebody's heartbeat stream was refused, for another reason than the refusal before it. */
export interface InboundRefused extends Omit<OpenFailed, "type"> {
  readonly type: "InboundRefused";
}

/** What the broker promises of the messages that it delivers: core NATS the one, a JetStream stream the other. */
export type DeliveryGuarantee = "at_most_once" | "at_least_once";

/** Messages come another way than before, or from another stream: what was promised up to here, and what is from here on. */
export interface DeliveryChanged {
  readonly type: "DeliveryChanged";
  readonly reason: DeliveryGuarantee;
  /** The first sequence that the log follows the stream from; null where there is no stream. */
  readonly streamSequence: number | null;
  readonly message: string;
}

/** `purged`: the stream no longer held them; `recreated`: it is another stream now; `reused`: it gave their sequences to other messages. */
export type GapReason = "purged" | "recreated" | "reused";

/** Messages of the broker's stream that this log should hold, and that are not to be had any more. */
export interface DeliveryGap {
  readonly type: "DeliveryGap";
  readonly reason: GapReason;
  /** The first one missing. */
  readonly streamSequence: number;
  /** The last one missing; null where nobody can tell. */
  readonly lastStreamSequence: number | null;
  readonly message: string;
}

/** Events before this one were moved to a file. `message` names them, the file, and what it and they come to. */
interface LogArchived {
  readonly type: "LogArchived";
  readonly message: string;
}

export type DeliveryEvent = DeliveryChanged | DeliveryGap;
export type DesiredEvent = PeerDesired | PeerRemoved;
export type ObservedEvent = StreamOpened | StreamClosed | OpenFailed | InboundRefused;
export type LogEvent = DesiredEvent | EventRejected | ObservedEvent | DeliveryEvent | LogArchived;

/** Whether a desired event changed the desired state. */
export type Effect = "changed" | "unchanged";

/** One peer of the desired state: what the log says of it, all events folded. */
export interface DesiredPeer extends Omit<PeerDesired, "type"> {
  /** The seq of the newest event about this peer that changed anything of it. */
  readonly desiredSeq: number;
  /** The seq of the newest event that changed its standing or address: what resets backoff and outdates work in flight. */
  readonly generation: number;
  readonly sinceMs: number;
}
