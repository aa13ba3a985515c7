/** Facts about a partner's program: its software, and its dialect. */
import type { PeerId } from "../../base/ids.ts";

/** How a far end spells the fields of its heartbeats: as our setting of that name does, or otherwise. */
export const FIELD_SPELLINGS = ["both", "snake", "go", "other"] as const;
export type FieldSpelling = (typeof FIELD_SPELLINGS)[number];

/** The format of the timestamps in its heartbeats. */
export const TIMESTAMP_KINDS = ["unix", "unixnano", "rfc3339", "none", "other"] as const;
export type TimestampKind = (typeof TIMESTAMP_KINDS)[number];

/** How it answered the bandwidth challenge: with the right bytes, or not at all, because it does not speak the protocol. */
export const CHALLENGE_ANSWERS = ["passed", "unsupported"] as const;
type ChallengeAnswer = (typeof CHALLENGE_ANSWERS)[number];

/** All claims of the far end. Null: not shown yet, or not given. The text is bounded, but may contain any character. */
export interface LearnedFacts {
  /** Its software, for example `go-oc-discovery/1.4`: at most MAX_LEARNED_TEXT characters. */
  readonly agent: string | null;
  /** The version of the application protocols that it names, of the same length. */
  readonly protocolVersion: string | null;
  /** The protocols that it serves, sorted: at most MAX_LEARNED_PROTOCOLS, within MAX_LEARNED_PROTOCOL_BYTES. */
  readonly protocols: readonly string[] | null;
  /** How many more protocols it named. */
  readonly protocolsOmitted: number;
  readonly heartbeatFields: FieldSpelling | null;
  readonly heartbeatTimestamp: TimestampKind | null;
  readonly challenge: ChallengeAnswer | null;
}

/** In UTF-16 code units. Agent names have about 30. */
export const MAX_LEARNED_TEXT = 256;
/** go-libp2p programs serve 5 to 30. */
export const MAX_LEARNED_PROTOCOLS = 64;
/** As JSON, in which a control character takes six bytes: bounds the row. 30 usual names take 1 KiB. */
export const MAX_LEARNED_PROTOCOL_BYTES = 8_192;

export const NOTHING_LEARNED: LearnedFacts = {
  agent: null,
  protocolVersion: null,
  protocols: null,
  protocolsOmitted: 0,
  heartbeatFields: null,
  heartbeatTimestamp: null,
  challenge: null,
};

/** A partner's program showed something new or different. `details` has all that is known, so the newest row is the present state. */
export interface PeerLearned {
  readonly type: "PeerLearned";
  readonly peerId: PeerId;
  readonly details: LearnedFacts;
}
