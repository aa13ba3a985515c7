-- The append-only guard. It lives in the schema, so that it holds for every SQLite client, and not only for the daemon.
-- A client without recursive_triggers fires no delete trigger for the row that INSERT OR REPLACE replaces; therefore an insert
-- that would replace a row, by its seq or by its dedupe_key, is refused before it happens.
CREATE TRIGGER event_log_no_update BEFORE UPDATE ON event_log
BEGIN
  SELECT RAISE(ABORT, 'event_log is append-only: its rows are never updated');
END;
--> statement-breakpoint
CREATE TRIGGER event_log_no_delete BEFORE DELETE ON event_log
BEGIN
  SELECT RAISE(ABORT, 'event_log is append-only: its rows are never deleted');
END;
--> statement-breakpoint
CREATE TRIGGER event_log_gapless BEFORE INSERT ON event_log
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM event_log)
BEGIN
  SELECT RAISE(ABORT, 'event_log is gapless: seq must be the highest seq plus one');
END;
--> statement-breakpoint
CREATE TRIGGER event_log_no_second BEFORE INSERT ON event_log
WHEN NEW.dedupe_key IS NOT NULL AND EXISTS (SELECT 1 FROM event_log WHERE dedupe_key = NEW.dedupe_key)
BEGIN
  SELECT RAISE(ABORT, 'event_log already holds an event with this dedupe_key');
END;
--> statement-breakpoint
-- The views: the public interface, documented in docs/SQL.md. Their columns are only ever added to.
CREATE VIEW desired_peers AS
SELECT
  peer_id, name, did, resource_id, relation, standing, address, desired_seq, generation,
  strftime('%Y-%m-%dT%H:%M:%fZ', since_ms / 1000.0, 'unixepoch') AS since
FROM desired_peer;
--> statement-breakpoint
CREATE VIEW stream_sessions AS
SELECT
  opened.peer_id, desired.name, opened.protocol, opened.direction,
  opened.seq AS opened_seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', opened.at_ms / 1000.0, 'unixepoch') AS opened_at,
  closed.seq AS closed_seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', closed.at_ms / 1000.0, 'unixepoch') AS closed_at,
  max(closed.at_ms - opened.at_ms, 0) AS duration_ms,
  closed.reason AS close_reason
FROM event_log AS opened
LEFT JOIN event_log AS closed ON closed.cause_seq = opened.seq AND closed.type = 'StreamClosed'
LEFT JOIN desired_peer AS desired ON desired.peer_id = opened.peer_id
WHERE opened.type = 'StreamOpened'
ORDER BY opened.seq;
--> statement-breakpoint
CREATE VIEW relation_changes AS
WITH stated AS (
  SELECT
    seq, at_ms, peer_id, source,
    CASE type WHEN 'PeerRemoved' THEN 'REMOVED' ELSE relation END AS relation,
    CASE type WHEN 'PeerRemoved' THEN 'revoked' ELSE standing END AS standing
  FROM event_log
  WHERE type IN ('PeerDesired', 'PeerRemoved') AND effect = 'changed'
  UNION ALL
  SELECT seq, at_ms, superseded_peer_id, source, 'SUPERSEDED', 'revoked'
  FROM event_log
  WHERE superseded_peer_id IS NOT NULL
),
compared AS (
  SELECT *, lag(relation) OVER earlier AS previous_relation, lag(standing) OVER earlier AS previous_standing
  FROM stated
  WINDOW earlier AS (PARTITION BY peer_id ORDER BY seq)
)
SELECT
  compared.peer_id, desired.name, compared.seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', compared.at_ms / 1000.0, 'unixepoch') AS at,
  compared.relation, compared.previous_relation, compared.standing, compared.previous_standing, compared.source
FROM compared
LEFT JOIN desired_peer AS desired ON desired.peer_id = compared.peer_id
WHERE compared.relation IS NOT compared.previous_relation OR compared.standing IS NOT compared.previous_standing
ORDER BY compared.seq;
--> statement-breakpoint
CREATE VIEW rejected_events AS
SELECT
  seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch') AS at,
  subject, source, reason, message, payload_bytes,
  CASE payload_encoding WHEN 'utf8' THEN 'utf8' ELSE 'hex' END AS payload_encoding,
  CASE payload_encoding WHEN 'utf8' THEN CAST(payload AS TEXT) ELSE hex(payload) END AS payload,
  payload_sha256
FROM event_log
WHERE type = 'EventRejected'
ORDER BY seq;
--> statement-breakpoint
CREATE VIEW peer_status AS
SELECT
  known.peer_id, desired.name, desired.did, desired.relation, desired.standing,
  (SELECT max(seq) FROM open_stream WHERE peer_id = known.peer_id AND direction = 'outbound') AS outbound_seq,
  (SELECT strftime('%Y-%m-%dT%H:%M:%fZ', opened_at_ms / 1000.0, 'unixepoch') FROM open_stream
    WHERE peer_id = known.peer_id AND direction = 'outbound' ORDER BY seq DESC LIMIT 1) AS outbound_opened_at,
  (SELECT max(seq) FROM open_stream WHERE peer_id = known.peer_id AND direction = 'inbound') AS inbound_seq,
  (SELECT strftime('%Y-%m-%dT%H:%M:%fZ', opened_at_ms / 1000.0, 'unixepoch') FROM open_stream
    WHERE peer_id = known.peer_id AND direction = 'inbound' ORDER BY seq DESC LIMIT 1) AS inbound_opened_at,
  coalesce(status.outbound_sessions, 0) AS outbound_sessions,
  status.outbound_close_reason,
  strftime('%Y-%m-%dT%H:%M:%fZ', status.outbound_closed_at_ms / 1000.0, 'unixepoch') AS outbound_closed_at,
  status.inbound_close_reason,
  strftime('%Y-%m-%dT%H:%M:%fZ', status.inbound_closed_at_ms / 1000.0, 'unixepoch') AS inbound_closed_at,
  status.error_code, status.error_message,
  CASE WHEN status.error_seq IS NULL THEN 0 ELSE 1 + coalesce(errors.count, 0) END AS error_count,
  strftime('%Y-%m-%dT%H:%M:%fZ', status.error_at_ms / 1000.0, 'unixepoch') AS error_since,
  strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(errors.last_at_ms, status.error_at_ms) / 1000.0, 'unixepoch') AS error_at,
  status.refusal_code, status.refusal_message,
  CASE WHEN status.refusal_seq IS NULL THEN 0 ELSE 1 + coalesce(refusals.count, 0) END AS refusal_count,
  strftime('%Y-%m-%dT%H:%M:%fZ', status.refusal_at_ms / 1000.0, 'unixepoch') AS refusal_since,
  strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(refusals.last_at_ms, status.refusal_at_ms) / 1000.0, 'unixepoch') AS refusal_at
FROM (SELECT peer_id FROM desired_peer UNION SELECT peer_id FROM peer_status_row) AS known
LEFT JOIN desired_peer AS desired ON desired.peer_id = known.peer_id
LEFT JOIN peer_status_row AS status ON status.peer_id = known.peer_id
LEFT JOIN repeated_failures AS errors ON errors.first_seq = status.error_seq
LEFT JOIN repeated_failures AS refusals ON refusals.first_seq = status.refusal_seq;
--> statement-breakpoint
CREATE VIEW peer_history AS
SELECT
  log.peer_id,
  coalesce(log.name, desired.name) AS name,
  coalesce(log.did, desired.did) AS did,
  log.seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', log.at_ms / 1000.0, 'unixepoch') AS at,
  log.type,
  CASE log.type
    WHEN 'PeerDesired' THEN
      CASE log.standing
        WHEN 'partner' THEN 'desired as ' || log.relation
        WHEN 'blacklisted' THEN 'blacklisted (relation ' || log.relation || ')'
        ELSE 'not desired (relation ' || log.relation || ')'
      END
      || ' by ' || coalesce(log.source, 'unknown')
      || CASE log.effect WHEN 'unchanged' THEN ', nothing changed' ELSE '' END
    WHEN 'PeerRemoved' THEN
      'removed by ' || coalesce(log.source, 'unknown') || CASE log.effect WHEN 'unchanged' THEN ', nothing changed' ELSE '' END
    WHEN 'EventRejected' THEN 'rejected: ' || log.reason || ': ' || log.message
    WHEN 'StreamOpened' THEN log.direction || ' stream opened'
    WHEN 'StreamClosed' THEN
      log.direction || ' stream closed'
      || CASE WHEN opened.seq IS NULL THEN '' ELSE printf(' after %.1f s', max(log.at_ms - opened.at_ms, 0) / 1000.0) END
      || ': ' || log.reason
    WHEN 'OpenFailed' THEN 'outbound stream failed to open: ' || log.reason || ': ' || log.message
    WHEN 'InboundRefused' THEN 'inbound stream refused: ' || log.reason || ': ' || log.message
    ELSE log.type
  END
  || coalesce(
    ' (and ' || repeated.count || ' more, the last at '
    || strftime('%Y-%m-%dT%H:%M:%fZ', repeated.last_at_ms / 1000.0, 'unixepoch') || ')',
    ''
  ) AS summary,
  log.cause_seq, log.source, log.effect, log.address
FROM event_log AS log
LEFT JOIN desired_peer AS desired ON desired.peer_id = log.peer_id
LEFT JOIN event_log AS opened ON opened.seq = log.cause_seq
LEFT JOIN repeated_failures AS repeated ON repeated.first_seq = log.seq
UNION ALL
SELECT
  log.superseded_peer_id, desired.name, desired.did, log.seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', log.at_ms / 1000.0, 'unixepoch'),
  log.type,
  'no longer desired: ' || coalesce(log.source, 'unknown') || ' gave its resource ' || log.resource_id || ' to ' || log.peer_id,
  log.cause_seq, log.source, log.effect, NULL
FROM event_log AS log
LEFT JOIN desired_peer AS desired ON desired.peer_id = log.superseded_peer_id
WHERE log.superseded_peer_id IS NOT NULL
ORDER BY seq;
