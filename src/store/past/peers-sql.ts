/** The statement behind peers-as-of.ts, step by step. Each step looks up a few rows per peer, each by an index. */

/** Of one direction: the newest stream opened up to `:seq`, if none of its peer closed it up to there. */
const newestStream = (direction: "outbound" | "inbound") => `
  coalesce(
    (
      select seq from event_log
      where type = 'StreamOpened' and effect is null and peer_id = known.peer_id and direction = '${direction}'
        and seq <= :seq and seq > archived.seq
      order by seq desc limit 1
    ),
    (
      select max(seq) from archived_open_stream as open
      where open.last_seq = archived.seq and open.peer_id = known.peer_id and open.direction = '${direction}'
    )
  )`;

/** When the row was appended, also if it is archived. */
const openedAtMs = (seq: string) => `
  coalesce(
    (select at_ms from event_log where seq = ${seq} and seq > (select seq from archived)),
    (select opened_at_ms from archived_open_stream where last_seq = (select seq from archived) and seq = ${seq})
  )`;

const isOpen = (seq: string) => `
  ${seq} is not null
  and not exists (select 1 from event_log where opened_seq = ${seq} and type = 'StreamClosed' and effect is null and seq <= :seq)`;

/** The newest rows of each peer up to `:seq` that began a period or opened a stream. */
const NEWEST = `
newest as materialized (
  select
    known.peer_id, archived.seq as archived_seq,
    (
      select seq from event_log indexed by event_log_generation
      where generation = seq and peer_id = known.peer_id and seq <= :seq and seq > archived.seq order by seq desc limit 1
    ) as desired_seq,
    (
      select seq from event_log
      where superseded_peer_id = known.peer_id and seq <= :seq and seq > archived.seq order by seq desc limit 1
    ) as superseded_seq,
    (
      select address from event_log indexed by event_log_generation
      where generation = seq and peer_id = known.peer_id and seq <= :seq and seq > archived.seq and address is not null
      order by seq desc limit 1
    ) as address,
    ${newestStream("outbound")} as outbound_seq,
    ${newestStream("inbound")} as inbound_seq,
    (
      select seq from event_log
      where type = 'PeerLearned' and effect is null and peer_id = known.peer_id and direction is null
        and seq <= :seq and seq > archived.seq
      order by seq desc limit 1
    ) as learned_row_seq
  from known, archived
)`;

/** Each peer's state after them. After an archive, a peer without later rows is as the archive left it. */
const STATE = `
state as (
  select
    newest.*,
    coalesce(own.seq, past.generation) as standing_from_seq,
    own.cause_seq, own.source, own.claimed_user,
    coalesce(own.at_ms, past.since_ms) as since_ms,
    case
      when superseded_seq > coalesce(desired_seq, 0) then 'revoked'
      when desired_seq is null then past.standing
      when own.type = 'PeerRemoved' then 'revoked'
      else own.standing
    end as standing,
    case
      when superseded_seq > coalesce(desired_seq, 0) then 'SUPERSEDED'
      when desired_seq is null then past.relation
      when own.type = 'PeerRemoved' then 'REMOVED'
      else own.relation
    end as relation,
    coalesce(newest.address, past.address) as known_address,
    case when past.standing = 'partner' then past.standing_seq end as archived_partner_seq,
    case when past.standing = 'partner' then past.standing_since_ms end as archived_partner_since_ms,
    past.outbound_close_seq as archived_close_seq,
    past.outbound_close_reason as archived_close_reason,
    past.outbound_closed_at_ms as archived_closed_at_ms,
    past.learned_seq as archived_learned_seq,
    past.learned_at_ms as archived_learned_at_ms,
    past.learned_details as archived_learned_details,
    ${isOpen("outbound_seq")} as outbound_open,
    ${isOpen("inbound_seq")} as inbound_open
  from newest
  left join event_log as own on own.seq = max(coalesce(desired_seq, 0), coalesce(superseded_seq, 0))
  left join archived_peer as past
    on past.peer_id = newest.peer_id
    and past.last_seq = (select max(last_seq) from archived_peer where peer_id = newest.peer_id)
    and past.generation is not null
)`;

/** For a partner without an outbound stream: the last row at which it was not a partner, and the last close. */
const BEFORE_DOWN = `
before_down as materialized (
  select
    state.*,
    case when standing = 'partner' and not outbound_open then max(
      coalesce((
        select seq from event_log indexed by event_log_generation
        where generation = seq and peer_id = state.peer_id and seq <= :seq and seq > archived_seq
          and (type = 'PeerRemoved' or event_log.standing <> 'partner')
        order by seq desc limit 1
      ), 0),
      coalesce(superseded_seq, 0)
    ) end as other_seq,
    case when standing = 'partner' and not outbound_open then (
      select seq from event_log
      where type = 'StreamClosed' and effect is null and peer_id = state.peer_id and direction = 'outbound'
        and seq <= :seq and seq > archived_seq
      order by seq desc limit 1
    ) end as closed_seq
  from state
)`;

/** The row from which such a peer has been a partner without a break. */
const PARTNER_SINCE = `
partner_since as (
  select
    before_down.*,
    case
      when other_seq is null then null
      when other_seq = 0 and archived_partner_seq is not null then archived_partner_seq
      else (
        select seq from event_log indexed by event_log_generation
        where generation = seq and peer_id = before_down.peer_id and seq > max(other_seq, archived_seq) order by seq limit 1
      )
    end as partner_seq
  from before_down
)`;

/** When the outage after `closed_seq` ended, also after `:seq`: at the next stream, or when the peer ceased to be a partner. */
const OUTAGE_END_MS = `coalesce(
  (
    select at_ms from event_log
    where seq = min(
      coalesce((
        select seq from event_log
        where type = 'StreamOpened' and effect is null and peer_id = partner_since.peer_id and direction = 'outbound' and seq > closed_seq
        order by seq limit 1
      ), ${Number.MAX_SAFE_INTEGER}),
      coalesce((
        select seq from event_log indexed by event_log_generation
        where generation = seq and peer_id = partner_since.peer_id and seq > closed_seq
          and (type = 'PeerRemoved' or event_log.standing <> 'partner')
        order by seq limit 1
      ), ${Number.MAX_SAFE_INTEGER}),
      coalesce((
        select seq from event_log where superseded_peer_id = partner_since.peer_id and seq > closed_seq order by seq limit 1
      ), ${Number.MAX_SAFE_INTEGER})
    )
  ),
  cast((julianday('now') - 2440587.5) * 86400000 as integer)
)`;

/** The row from which such a partner has been without an outbound stream, and why. */
const DOWN = `
down as (
  select
    partner_since.*,
    max(partner_seq, coalesce(closed_seq, 0), coalesce(archived_close_seq, 0)) as down_seq,
    case
      when partner_seq is null then null
      when closed_seq > partner_seq then
        -- As in outage_periods.
        case
          when opened.seq is null or closed.at_ms between opened.at_ms and opened.at_ms + closed.duration_ms + 60000 then closed.at_ms
          when closed.at_ms >= opened.at_ms and closed.at_ms <= ${OUTAGE_END_MS} then closed.at_ms
          when opened.at_ms + closed.duration_ms <= ${OUTAGE_END_MS} then opened.at_ms + closed.duration_ms
          else closed.at_ms
        end
      when archived_close_seq > partner_seq then archived_closed_at_ms
      when partner_seq = archived_partner_seq then archived_partner_since_ms
      else (select at_ms from event_log where seq = partner_seq)
    end as down_ms,
    case
      when partner_seq is null then null
      when closed_seq > partner_seq then closed.reason
      when archived_close_seq > partner_seq then archived_close_reason
      else 'desired'
    end as down_began
  from partner_since
  left join event_log as closed on closed.seq = partner_since.closed_seq
  left join event_log as opened on opened.seq = closed.opened_seq
)`;

const RESULT = `
select
  down.peer_id as peerId, desired.name, down.standing, down.relation, down.known_address as address,
  down.since_ms as sinceMs,
  down.standing_from_seq as desiredSeq, down.cause_seq as causeSeq, down.source as app, down.claimed_user as claimedUser,
  case when outbound_open then ${openedAtMs("outbound_seq")} end as outboundSinceMs,
  case when inbound_open then ${openedAtMs("inbound_seq")} end as inboundSinceMs,
  down_ms as downSinceMs, down_began as downBegan,
  case when partner_seq is not null then (
    select group_concat(reason, ', ') from (
      select distinct reason from event_log
      where type = 'OpenFailed' and effect is null and peer_id = down.peer_id and direction is null
        and seq > max(down_seq, archived_seq) and seq <= :seq
      order by reason
    )
  ) end as failures,
  coalesce(learned_row_seq, archived_learned_seq) as learnedSeq,
  coalesce(learned.at_ms, archived_learned_at_ms) as learnedAtMs,
  coalesce(learned.details, archived_learned_details) as learnedDetails
from down
left join event_log as learned on learned.seq = down.learned_row_seq
left join desired_peer as desired on desired.peer_id = down.peer_id
where down.standing is not null or outbound_open or inbound_open
order by down.peer_id`;

/** A statement with the parameter `:seq`; `peers` selects the `peer_id` of each peer in question. */
export function statementFor(peers: string): string {
  const archived = "archived as (select coalesce(max(last_seq), 0) as seq from archive_anchor)";
  return `with ${[archived, `known as (${peers})`, NEWEST, STATE, BEFORE_DOWN, PARTNER_SINCE, DOWN].join(", ")} ${RESULT}`;
}
