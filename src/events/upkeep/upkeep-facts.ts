/** The events that commands append to the log: it was archived, reinterpreted or restored, or its identity changed. */
import type { PeerId } from "../../base/ids.ts";

/** An archive file and the events in it. Times are wall ms, hashes lower-case hex SHA-256. */
export interface ArchiveFacts {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly events: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  readonly lastChainHash: string;
  readonly directory: string;
  readonly file: string;
  readonly fileBytes: number;
  readonly fileSha256: string;
  /** Hash of the state of the log at `lastSeq`. */
  readonly stateSha256: string;
}

/** Earlier events were moved to a file. */
export interface LogArchived {
  readonly type: "LogArchived";
  readonly details: ArchiveFacts;
}

/** The result of `reinterpret`. */
export interface ReinterpretFacts {
  /** The `events` settings under which the log up to this row has been decoded. */
  readonly vocabulary: Readonly<Record<string, unknown>>;
  /** The number of rows that it appended before this one. */
  readonly changes: number;
}

/** Every message before this row has the meaning that it has under one vocabulary. */
export interface LogReinterpreted {
  readonly type: "LogReinterpreted";
  readonly details: ReinterpretFacts;
}

/** How the identity was changed: to a new key, or to the key that was put in place. */
export type IdentityChange = "rotated" | "accepted";

/** The PeerIDs of a change of the identity. */
export interface IdentityFacts {
  readonly from: PeerId;
  readonly to: PeerId;
}

/** The log belongs to another PeerID from here on. */
export interface IdentityChanged {
  readonly type: "IdentityChanged";
  readonly reason: IdentityChange;
  readonly details: IdentityFacts;
}

/** The source of a restored log: a backup, or the rows of the damaged log that the hash chain proves. */
export type RestoreSource = "backup" | "proven_rows";

/** The rows of a restored log. */
export interface RestoreFacts {
  /** The path of the backup; null for proven rows. */
  readonly backup: string | null;
  /** The newest row that was restored; 0 if there was none. */
  readonly lastSeq: number;
  /** The newest row that the log before is known to have had; null if unknown. */
  readonly lastSeqBefore: number | null;
}

/** The log was replaced: rows that it had after `lastSeq` are gone, and others follow with the same numbers. */
export interface LogRestored {
  readonly type: "LogRestored";
  readonly reason: RestoreSource;
  readonly details: RestoreFacts;
}
