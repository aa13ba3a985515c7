/** Events about delivery: how messages reach the log, which ones are missing, and whether the log was rolled back. */

export const DELIVERY_GUARANTEES = ["at_most_once", "at_least_once", "not_captured"] as const;
/**
 * At most once with core NATS, at least once with a JetStream stream. `not_captured`: the stream that is read does not capture all
 * subjects, and messages on the others are lost.
 */
export type DeliveryGuarantee = (typeof DELIVERY_GUARANTEES)[number];

/** From here on messages arrive with another guarantee, or from another broker stream. */
export interface DeliveryChanged {
  readonly type: "DeliveryChanged";
  readonly reason: DeliveryGuarantee;
  /** The broker stream that is followed, its creation time as the broker spells it, and the first sequence; null with core NATS. */
  readonly stream: string | null;
  readonly streamCreated: string | null;
  readonly streamSequence: number | null;
  /** Why messages can be lost, for people; null if they cannot. */
  readonly message: string | null;
}

export const GAP_REASONS = ["purged", "recreated", "reused", "rolled_back", "unproven"] as const;
/**
 * `purged`: no longer in the stream. `recreated`: the stream was recreated. `reused`: it was rewound and reuses their sequences.
 * `rolled_back`: no longer in the stream, but the log had them before it was rolled back. `unproven`: the log has messages of these
 * sequences, but the stream may have been rewound since and have held others; nothing is left to compare.
 */
export type GapReason = (typeof GAP_REASONS)[number];

/** Messages that the log lacks, or may lack, and the broker stream no longer has. */
export interface DeliveryGap {
  readonly type: "DeliveryGap";
  readonly reason: GapReason;
  /** The broker stream that held them. */
  readonly stream: string;
  readonly streamCreated: string;
  /** The first one missing. */
  readonly streamSequence: number;
  /** The last one missing; null if unknown. */
  readonly lastStreamSequence: number | null;
}

/**
 * `acknowledged`: the daemon's consumer has acknowledged messages that the log lacks. `published_head`: a run of this daemon has
 * published a head that the log contradicts.
 */
export const ROLLBACK_EVIDENCE = ["acknowledged", "published_head"] as const;
export type RollbackEvidence = (typeof ROLLBACK_EVIDENCE)[number];

/** This log is an older copy of itself, or a copy of it is in use elsewhere: it lacks rows that the other one had. */
interface LogRolledBack {
  readonly type: "LogRolledBack";
  readonly reason: RollbackEvidence;
  /** The stream of the evidence: that of the events, or that of published heads. */
  readonly stream: string;
  readonly streamCreated: string;
  /** The first and the last sequence that were acknowledged but are not in the log; or twice that of the head. */
  readonly streamSequence: number;
  readonly lastStreamSequence: number;
}

/** Another daemon. */
export interface CloneFacts {
  /** Its run, as it signs its consumer. */
  readonly otherRun: string;
}

/** `consumer`: it has taken our consumer, signed with our PeerID. `published_head`: it publishes heads of a log of our PeerID. */
export type CloneEvidence = "consumer" | "published_head";

/** Another daemon runs with our identity, for example on a cloned machine. Partners keep replacing one's streams by the other's. */
export interface CloneSeen {
  readonly type: "CloneSeen";
  readonly reason: CloneEvidence;
  readonly details: CloneFacts;
}

export type DeliveryEvent = DeliveryChanged | DeliveryGap | LogRolledBack;
