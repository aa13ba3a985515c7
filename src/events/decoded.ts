/** The results of decoding a message. */
import type { Address, Did, PeerId, ResourceId } from "../base/ids.ts";
import type { RejectionReason, Standing } from "./types.ts";

/** The peer an event refers to. At least one of the two ids is given. */
export interface PeerReference {
  readonly peerId: PeerId | null;
  readonly resourceId: ResourceId | null;
  readonly did: Did | null;
}

export interface Ignored {
  readonly kind: "ignored";
  readonly reason: "echo" | "other_datatype";
  readonly source: string;
  /** The datatype as spelled in the message. */
  readonly datatype: string;
}

export interface Rejected {
  readonly kind: "rejected";
  readonly reason: RejectionReason;
  /** Names the field and the value, for people. */
  readonly message: string;
  /** The publishing app, if it could be read. */
  readonly source: string | null;
  readonly claimedUser: string | null;
}

export interface Desired extends PeerReference {
  readonly kind: "desired";
  readonly source: string;
  /** The user that the app named, if any. */
  readonly claimedUser: string | null;
  readonly name: string | null;
  readonly relation: string;
  readonly standing: Standing;
  readonly address: Address | null;
}

export interface Removed extends PeerReference {
  readonly kind: "removed";
  readonly source: string;
  readonly claimedUser: string | null;
}

export type Decoded = Ignored | Rejected | Desired | Removed;
