/** A peer's history up to a row of the log, as it was then. */
import type { Database } from "better-sqlite3";
import type { PeerId } from "../../base/ids.ts";

/** One row of a peer's history, as the view `peer_history` words it. */
export interface HistoryRow {
  readonly seq: number;
  readonly at: string;
  readonly summary: string;
  readonly causeSeq: number | null;
  readonly app: string | null;
  readonly claimedUser: string | null;
}

const HISTORY = `
  select seq, at, summary, cause_seq as causeSeq, app, claimed_user as claimedUser
  from peer_history where peer_id = :peerId and seq <= :seq order by seq desc limit :limit`;

/** A peer's newest rows up to `seq`, newest first. Repeats of a failure are left out: their times are not known. */
export function historyUntil(database: Database, peerId: PeerId, seq: number, limit: number): readonly HistoryRow[] {
  return database.prepare<{ peerId: PeerId; seq: number; limit: number }, HistoryRow>(HISTORY).all({ peerId, seq, limit });
}
