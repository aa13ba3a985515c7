/** The peers as they were after a row of the log, by the views with validity intervals. */
import type { Database } from "better-sqlite3";
import type { PeerId } from "../base/ids.ts";
import type { Standing } from "../events/types.ts";

/** One peer. Times are ISO-8601. */
export interface PeerAsOf {
  readonly peerId: PeerId;
  /** As the newest event names it. */
  readonly name: string | null;
  /** Null for a stranger, as are the columns that follow from events. */
  readonly standing: Standing | null;
  readonly relation: string | null;
  readonly address: string | null;
  /** When the peer got this relation, standing and address, and the event, app and user that set them. */
  readonly since: string | null;
  readonly desiredSeq: number | null;
  readonly app: string | null;
  readonly claimedUser: string | null;
  /** When our stream and theirs were opened; null if they were not open. */
  readonly outboundSince: string | null;
  readonly inboundSince: string | null;
  /** Of a partner without an outbound stream: since when, how it began, and why attempts failed. */
  readonly downSince: string | null;
  readonly downBegan: string | null;
  readonly failures: string | null;
}

/** The rows that are valid after `seq`. */
const VALID = "valid_from_seq <= :seq and (valid_to_seq is null or valid_to_seq > :seq)";

const PEERS = `
  with standing as (select * from standing_periods where ${VALID}),
  session as (select * from session_periods where ${VALID}),
  outage as (select * from outage_periods where ${VALID}),
  known as (select peer_id, name from standing union select peer_id, name from session)
  select
    known.peer_id as peerId, known.name, standing.standing, standing.relation, standing.address,
    standing.valid_from_at as since, standing.valid_from_seq as desiredSeq, standing.app, standing.claimed_user as claimedUser,
    (select max(valid_from_at) from session where session.peer_id = known.peer_id and direction = 'outbound') as outboundSince,
    (select max(valid_from_at) from session where session.peer_id = known.peer_id and direction = 'inbound') as inboundSince,
    outage.valid_from_at as downSince, outage.began as downBegan, outage.failures
  from known
  left join standing on standing.peer_id = known.peer_id
  left join outage on outage.peer_id = known.peer_id
  order by known.peer_id`;

/** Every peer that was desired, or had a stream, after the row `seq`. By PeerID. */
export function peersAsOf(database: Database, seq: number): readonly PeerAsOf[] {
  return database.prepare<{ seq: number }, PeerAsOf>(PEERS).all({ seq });
}

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

/** A peer's newest rows up to `seq`, newest first. */
export function historyUntil(database: Database, peerId: PeerId, seq: number, limit: number): readonly HistoryRow[] {
  return database.prepare<{ peerId: PeerId; seq: number; limit: number }, HistoryRow>(HISTORY).all({ peerId, seq, limit });
}
