/** Lists what a file cannot prove about itself, so that a clean check does not claim more than it knows. */
import type { Database } from "better-sqlite3";
import { rowPlace, type UnprovenClaim } from "../model/finding.ts";
import { type LogHead, NO_ROWS } from "../model/log-head.ts";
import type { KnownHead } from "./head-check.ts";

interface KnownHeads {
  /** Whether the head file has no head and is not damaged. */
  readonly isHeadMissing: boolean;
  /** Published heads that the caller gave. */
  readonly published: readonly KnownHead[];
  /** The seq of the newest of them that agrees with the log; 0 if none does. */
  readonly agreedSeq: number;
  /** Whether all heads that reached the broker are among them. */
  readonly isCompared: boolean;
  /** The head in the head file; null if there is none. */
  readonly beside: KnownHead | null;
}

/** `head`: the newest row. `isData`: the database is in a data directory, so a head file belongs beside it. */
export function* headWitnesses(
  head: LogHead,
  { isHeadMissing, published, agreedSeq, isCompared, beside }: KnownHeads,
  isData: boolean,
): Generator<UnprovenClaim> {
  if (head.seq === NO_ROWS.seq && beside !== null) return;
  const newest = Math.max(0, ...published.map(({ seq }) => seq));
  if (isHeadMissing && isData)
    yield {
      place: "oc-partnerd.head",
      claim: "is missing or was never completely written, so rows may be gone from the end of the log",
      witness: "the next start writes a new one; --require-head makes this a finding",
    };
  if (newest === 0)
    yield {
      place: "event_log",
      claim: "a program that can write the database and the head file could have recomputed the whole chain unnoticed",
      witness: isCompared
        ? "give a published head with --head SEQ:HASH"
        : "compare it with the heads that the daemon published, with --nats, or give one with --head SEQ:HASH",
    };
  else if (newest > head.seq && !isData)
    yield {
      place: rowPlace(head.seq + 1, newest),
      claim: "in a published head, but not in this copy",
      witness: "check the data directory of the daemon, or a newer copy",
    };
  else if (agreedSeq < head.seq) yield beyondHeads(head, agreedSeq, isCompared);
}

function beyondHeads({ seq }: LogHead, agreedSeq: number, isCompared: boolean): UnprovenClaim {
  const other = isCompared ? "give one with --head SEQ:HASH" : "give one with --nats or --head SEQ:HASH";
  if (agreedSeq === 0) return { place: "event_log", claim: "no published head agrees with it", witness: other };
  return {
    place: rowPlace(agreedSeq + 1, seq),
    claim: "newer than the newest published head that agrees with the log",
    witness: isCompared ? `a running daemon publishes one within a minute: check again then, or ${other}` : other,
  };
}

/** A failure that is not over keeps its count when its row is archived. */
const FAILURES = `
  select 1 from event_log where type in ('OpenFailed', 'InboundRefused') and effect is null
  union all select 1 from repeated_failures
  union all select 1 from peer_status_row where error_seq is not null or refusal_seq is not null
  limit 1`;

export function* countWitnesses(database: Database): Generator<UnprovenClaim> {
  if (database.prepare(FAILURES).get() === undefined) return;
  yield {
    place: "repeated_failures",
    claim: "how often a failure was repeated is not in the hash chain",
    witness: "an older backup or archive file has the counts of its time",
  };
}
