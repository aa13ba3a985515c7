/** The meaning of words on the wire. All of it is configurable; docs/WIRE.md lists the defaults. */

export interface Vocabulary {
  /** Subjects whose messages create or update a resource. */
  readonly createSubjects: readonly string[];
  /** Subjects whose messages remove one. */
  readonly removeSubjects: readonly string[];
  /** Datatypes that mean a peer: names in any letter case, or integers of the publisher's enum. */
  readonly peerDatatypes: readonly (string | number)[];
  /** Relations that mean "partner", in any letter case. */
  readonly partnerRelations: readonly string[];
  /** Relations that also forbid connections, in any letter case. */
  readonly blacklistRelations: readonly string[];
  /** Names of the publisher's integer relations: the name at index n is the relation n. */
  readonly relationNames: readonly string[];
  /** Apps whose events are echoes of the discovery service's own writes. */
  readonly ignoreApps: readonly string[];
}

/** OpenCloud's own words. Integer datatypes differ between versions of the publishers, so there is no default. */
export const DEFAULT_VOCABULARY: Vocabulary = {
  createSubjects: ["CREATE_RESOURCE"],
  removeSubjects: ["REMOVE_RESOURCE"],
  peerDatatypes: ["PEER"],
  partnerRelations: ["PARTNER"],
  blacklistRelations: ["BLACKLIST"],
  relationNames: ["NONE", "SELF", "PARTNER", "BLACKLIST", "PENDING_PARTNER"],
  ignoreApps: ["oc-discovery"],
};

/** Each subject that the daemon listens to, once. */
export function subjectsOf({ createSubjects, removeSubjects }: Pick<Vocabulary, "createSubjects" | "removeSubjects">): string[] {
  return [...new Set([...createSubjects, ...removeSubjects])];
}

/** Limits on one message. A message that exceeds them is not parsed. */
export interface MessageLimits {
  readonly maxMessageBytes: number;
  readonly maxDepth: number;
}

/** The meaning of a message: the `events` section of the configuration. */
export type EventSettings = Vocabulary & MessageLimits;

/** 1 MiB is nats-server's default for max_payload; peer records do not come near a depth of 32. */
export const DEFAULT_LIMITS: MessageLimits = { maxMessageBytes: 1_048_576, maxDepth: 32 };
