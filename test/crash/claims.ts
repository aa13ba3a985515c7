/** Judges what a log says about delivery, against what was done to it and to its stream. Pure. */

/** A row about delivery. */
export interface Claim {
  readonly seq: number;
  readonly type: "DeliveryChanged" | "DeliveryGap" | "LogRolledBack" | "CloneSeen";
  readonly reason: string;
  /** The sequences that it is about, if any. */
  readonly first: number | null;
  readonly last: number | null;
  /** For a CloneSeen. */
  readonly otherRun: string | null;
}

/** The log was replaced by an older copy. */
export interface Rollback {
  /** The last row of the copy. */
  readonly afterSeq: number;
  /** The copy's cursor. */
  readonly sequence: number;
  /** The sequence up to which the log's consumer had acknowledged; an upper bound of it if a daemon was reading. 0 without proof. */
  readonly acknowledged: number;
  readonly isExact: boolean;
  /** The newest sequence that the log ever had, as far as its cursor and its consumer show. */
  readonly had: number;
}

/** The campaign's own acts. */
export interface Deeds {
  /** To this log, oldest first. */
  readonly rollbacks: readonly Rollback[];
  /** Runs of other daemons with its identity. */
  readonly clones: readonly string[];
  /** The newest sequence that was purged from the stream; 0 if none was. */
  readonly purgedUpTo: number;
  /** Whether a crash of the server lost messages that the log had. */
  readonly isRewound: boolean;
}

export interface Span {
  readonly first: number;
  readonly last: number;
}

/** Says of a message that it is not in the log. */
const MISSING = ["purged", "rolled_back"];

/** The sequences that the log does not have, as it says itself. */
export function missingSpans(claims: readonly Claim[]): readonly Span[] {
  return claims.flatMap(({ type, reason, first, last }) =>
    type === "DeliveryGap" && MISSING.includes(reason) && first !== null && last !== null ? { first, last } : [],
  );
}

/** One sentence for each row that is not true. */
export function falseClaims(claims: readonly Claim[], deeds: Deeds): readonly string[] {
  const noticed = new Set<Rollback>();
  return claims.flatMap((claim) => {
    const fault = faultIn(claim, deeds, noticed);
    return fault === undefined ? [] : `row ${claim.seq}: ${claimText(claim)}, but ${fault}`;
  });
}

/** `noticed`: the rollbacks that earlier rows are about. */
function faultIn(claim: Claim, deeds: Deeds, noticed: Set<Rollback>): string | undefined {
  switch (claim.type) {
    case "DeliveryChanged":
      if (claim.reason !== "at_least_once") return "the stream always captured all subjects";
      return (claim.first ?? 0) > deeds.purgedUpTo + 1 ? "the stream held earlier messages" : undefined;
    case "DeliveryGap":
      return faultInGap(claim, deeds, noticed);
    case "LogRolledBack": {
      const cause = deeds.rollbacks.find((rollback) => !noticed.has(rollback) && isAbout(claim, rollback));
      if (cause === undefined) return "no such rollback took place";
      noticed.add(cause);
      return undefined;
    }
    case "CloneSeen":
      return claim.otherRun !== null && deeds.clones.includes(claim.otherRun) ? undefined : "no clone of that run was started";
  }
}

function isAbout(claim: Claim, rollback: Rollback): boolean {
  return claim.seq > rollback.afterSeq && names(claim, rollback);
}

function names({ type, first, last }: Claim, { sequence, acknowledged, isExact }: Rollback): boolean {
  if (type !== "LogRolledBack" || first !== sequence + 1 || last === null) return false;
  return isExact ? last === acknowledged : first <= last && last <= acknowledged;
}

function faultInGap({ seq, reason, first, last }: Claim, deeds: Deeds, noticed: ReadonlySet<Rollback>): string | undefined {
  const { purgedUpTo, isRewound } = deeds;
  if (reason === "reused") return isRewound ? undefined : "the server lost nothing that the log had";
  if (reason === "recreated") return "the stream was never recreated";
  if (first === null || last === null || first > last) return "it names no messages";
  if (last > purgedUpTo) return `the stream was purged only up to sequence ${purgedUpTo}`;
  const rollbacks = deeds.rollbacks.filter(({ afterSeq }) => seq > afterSeq);
  if (reason === "rolled_back")
    return rollbacks.some(({ sequence, had }) => sequence < first && last <= had) ? undefined : "the log never had them";
  const had = rollbacks.find((rollback) => rollback.isExact && noticed.has(rollback) && overlaps({ first, last }, rollback));
  return reason === "purged" && had !== undefined
    ? `it had logged those up to ${had.acknowledged} before its rollback`
    : undefined;
}

function overlaps({ first, last }: Span, { sequence, acknowledged }: Rollback): boolean {
  return first <= acknowledged && last > sequence;
}

/**
 * One sentence for each rollback that the consumer proves, and that no row names. Call this once a daemon has replaced the consumer. A row
 * of the copy that says the same is enough.
 */
export function unsaidRollbacks(claims: readonly Claim[], rollbacks: readonly Rollback[]): readonly string[] {
  const visible = rollbacks.filter(({ isExact, sequence, acknowledged }) => isExact && sequence < acknowledged);
  return visible
    .filter((rollback) => !claims.some((claim) => names(claim, rollback)))
    .map(
      ({ sequence, acknowledged }) =>
        `the log does not say that it was rolled back: ${sequence + 1} to ${acknowledged} had been acknowledged`,
    );
}

function claimText({ type, reason, first, last, otherRun }: Claim): string {
  const about = otherRun === null ? `sequences ${first} to ${last ?? "?"}` : `run ${otherRun}`;
  return `${type} (${reason}) of ${about}`;
}
