-- An anchor says that the log up to its last_seq is in a file, and what the rows that stay follow. Anyone's insert has to fit the log.
CREATE TRIGGER archive_anchor_fits BEFORE INSERT ON archive_anchor
WHEN NEW.first_seq IS NOT (SELECT coalesce(max(last_seq), 0) + 1 FROM archive_anchor)
  OR NEW.last_seq < NEW.first_seq
  OR NEW.last_seq >= (SELECT max(seq) FROM event_log)
  OR NEW.last_chain_hash IS NOT (SELECT chain_hash FROM event_log WHERE seq = NEW.last_seq)
BEGIN
  SELECT RAISE(ABORT, 'archive_anchor does not fit the log: it follows the newest anchor, ends at a row with its chain_hash, and leaves the newest row');
END;
--> statement-breakpoint
CREATE TRIGGER archive_anchor_no_update BEFORE UPDATE ON archive_anchor
BEGIN
  SELECT RAISE(ABORT, 'archive_anchor is append-only: its rows are never updated');
END;
--> statement-breakpoint
CREATE TRIGGER archive_anchor_no_delete BEFORE DELETE ON archive_anchor
BEGIN
  SELECT RAISE(ABORT, 'archive_anchor is append-only: its rows are never deleted');
END;
--> statement-breakpoint
CREATE TRIGGER archived_peer_no_update BEFORE UPDATE ON archived_peer
BEGIN
  SELECT RAISE(ABORT, 'archived_peer is append-only: its rows are never updated');
END;
--> statement-breakpoint
CREATE TRIGGER archived_peer_no_delete BEFORE DELETE ON archived_peer
BEGIN
  SELECT RAISE(ABORT, 'archived_peer is append-only: its rows are never deleted');
END;
--> statement-breakpoint
CREATE TRIGGER archived_resource_no_update BEFORE UPDATE ON archived_resource
BEGIN
  SELECT RAISE(ABORT, 'archived_resource is append-only: its rows are never updated');
END;
--> statement-breakpoint
CREATE TRIGGER archived_resource_no_delete BEFORE DELETE ON archived_resource
BEGIN
  SELECT RAISE(ABORT, 'archived_resource is append-only: its rows are never deleted');
END;
--> statement-breakpoint
CREATE TRIGGER archived_open_stream_no_update BEFORE UPDATE ON archived_open_stream
BEGIN
  SELECT RAISE(ABORT, 'archived_open_stream is append-only: its rows are never updated');
END;
--> statement-breakpoint
CREATE TRIGGER archived_open_stream_no_delete BEFORE DELETE ON archived_open_stream
BEGIN
  SELECT RAISE(ABORT, 'archived_open_stream is append-only: its rows are never deleted');
END;
--> statement-breakpoint
CREATE TRIGGER archived_delivery_no_update BEFORE UPDATE ON archived_delivery
BEGIN
  SELECT RAISE(ABORT, 'archived_delivery is append-only: its rows are never updated');
END;
--> statement-breakpoint
CREATE TRIGGER archived_delivery_no_delete BEFORE DELETE ON archived_delivery
BEGIN
  SELECT RAISE(ABORT, 'archived_delivery is append-only: its rows are never deleted');
END;
--> statement-breakpoint
CREATE TRIGGER archived_stream_no_update BEFORE UPDATE ON archived_stream
BEGIN
  SELECT RAISE(ABORT, 'archived_stream is append-only: its rows are never updated');
END;
--> statement-breakpoint
CREATE TRIGGER archived_stream_no_delete BEFORE DELETE ON archived_stream
BEGIN
  SELECT RAISE(ABORT, 'archived_stream is append-only: its rows are never deleted');
END;
--> statement-breakpoint
CREATE TRIGGER archived_message_no_update BEFORE UPDATE ON archived_message
BEGIN
  SELECT RAISE(ABORT, 'archived_message is append-only: its rows are never updated');
END;
--> statement-breakpoint
CREATE TRIGGER archived_message_no_delete BEFORE DELETE ON archived_message
BEGIN
  SELECT RAISE(ABORT, 'archived_message is append-only: its rows are never deleted');
END;
--> statement-breakpoint
CREATE TRIGGER archived_core_message_no_update BEFORE UPDATE ON archived_core_message
BEGIN
  SELECT RAISE(ABORT, 'archived_core_message is append-only: its rows are never updated');
END;
--> statement-breakpoint
CREATE TRIGGER archived_core_message_no_delete BEFORE DELETE ON archived_core_message
BEGIN
  SELECT RAISE(ABORT, 'archived_core_message is append-only: its rows are never deleted');
END;
--> statement-breakpoint
DROP TRIGGER event_log_no_delete;
--> statement-breakpoint
CREATE TRIGGER event_log_no_delete BEFORE DELETE ON event_log
WHEN OLD.seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
BEGIN
  SELECT RAISE(ABORT, 'event_log is append-only: its rows are never deleted before they are archived');
END;
--> statement-breakpoint
-- Whoever deletes a row: the message that it stands for stays recognisable. A dedupe_key is taken to pieces as in src/store/dedupe-key.ts:
-- what follows its last slash, the stream_sequence between two slashes before that, and the rest.
CREATE TRIGGER event_log_keeps_dedupe_key AFTER DELETE ON event_log
WHEN OLD.dedupe_key IS NOT NULL
BEGIN
  INSERT OR IGNORE INTO archived_stream (created)
  SELECT CASE WHEN start LIKE '%/' || sequence || '/' THEN substr(start, 1, length(start) - length(sequence) - 2) ELSE start END
  FROM (
    SELECT rtrim(OLD.dedupe_key, replace(OLD.dedupe_key, '/', '')) AS start, coalesce(OLD.stream_sequence, 0) AS sequence
  );
  INSERT OR IGNORE INTO archived_message (stream_id, stream_sequence, message_hash)
  SELECT
    (SELECT id FROM archived_stream WHERE created =
      CASE WHEN start LIKE '%/' || sequence || '/' THEN substr(start, 1, length(start) - length(sequence) - 2) ELSE start END),
    CASE WHEN start LIKE '%/' || sequence || '/' THEN sequence ELSE 0 END,
    substr(OLD.dedupe_key, length(start) + 1)
  FROM (
    SELECT rtrim(OLD.dedupe_key, replace(OLD.dedupe_key, '/', '')) AS start, coalesce(OLD.stream_sequence, 0) AS sequence
  );
END;
--> statement-breakpoint
CREATE TRIGGER event_log_keeps_core_message AFTER DELETE ON event_log
WHEN OLD.dedupe_key IS NULL AND OLD.subject IS NOT NULL AND OLD.payload_sha256 IS NOT NULL
BEGIN
  INSERT OR IGNORE INTO archived_core_message (seq, at_ms, subject, payload_sha256)
  VALUES (OLD.seq, OLD.at_ms, OLD.subject, OLD.payload_sha256);
END;
--> statement-breakpoint
-- Where history continues: part of the public interface (docs/SQL.md).
CREATE VIEW archives AS
SELECT
  first_seq, last_seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', first_at_ms / 1000.0, 'unixepoch') AS first_at,
  strftime('%Y-%m-%dT%H:%M:%fZ', last_at_ms / 1000.0, 'unixepoch') AS last_at,
  events, file,
  strftime('%Y-%m-%dT%H:%M:%fZ', archived_at_ms / 1000.0, 'unixepoch') AS archived_at,
  file_sha256 AS sha256, directory, file_bytes AS bytes, logged_seq
FROM archive_anchor
ORDER BY last_seq;
--> statement-breakpoint
-- The views of before, over the rows behind the newest anchor alone, and over what it carries on. Between an anchor and the deletion of
-- its last row they do not change.
DROP VIEW stream_sessions;
--> statement-breakpoint
CREATE VIEW stream_sessions AS
WITH opened AS (
  SELECT seq, at_ms, peer_id, protocol, direction
  FROM event_log
  WHERE type = 'StreamOpened' AND seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
  UNION ALL
  SELECT seq, opened_at_ms, peer_id, protocol, direction
  FROM archived_open_stream
  WHERE last_seq = (SELECT max(last_seq) FROM archive_anchor)
)
SELECT
  opened.peer_id, desired.name, opened.protocol, opened.direction,
  opened.seq AS opened_seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', opened.at_ms / 1000.0, 'unixepoch') AS opened_at,
  closed.seq AS closed_seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', closed.at_ms / 1000.0, 'unixepoch') AS closed_at,
  max(closed.at_ms - opened.at_ms, 0) AS duration_ms,
  closed.reason AS close_reason
FROM opened
LEFT JOIN event_log AS closed ON closed.cause_seq = opened.seq AND closed.type = 'StreamClosed'
LEFT JOIN desired_peer AS desired ON desired.peer_id = opened.peer_id
ORDER BY opened.seq;
--> statement-breakpoint
DROP VIEW relation_changes;
--> statement-breakpoint
CREATE VIEW relation_changes AS
WITH stated AS (
  SELECT
    seq, at_ms, peer_id, source,
    CASE type WHEN 'PeerRemoved' THEN 'REMOVED' ELSE relation END AS relation,
    CASE type WHEN 'PeerRemoved' THEN 'revoked' ELSE standing END AS standing
  FROM event_log
  WHERE type IN ('PeerDesired', 'PeerRemoved') AND effect = 'changed'
    AND seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
  UNION ALL
  SELECT seq, at_ms, superseded_peer_id, source, 'SUPERSEDED', 'revoked'
  FROM event_log
  WHERE superseded_peer_id IS NOT NULL AND seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
  UNION ALL
  -- What a peer was before its first row that stays; a row with the newest of its archives.
  SELECT max(last_seq), NULL, peer_id, NULL, relation, standing
  FROM archived_peer
  WHERE relation IS NOT NULL
  GROUP BY peer_id
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
WHERE compared.at_ms IS NOT NULL
  AND (compared.relation IS NOT compared.previous_relation OR compared.standing IS NOT compared.previous_standing)
ORDER BY compared.seq;
--> statement-breakpoint
DROP VIEW rejected_events;
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
WHERE type = 'EventRejected' AND seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
ORDER BY seq;
--> statement-breakpoint
-- The two that stay whole: without them nobody could say what the log is complete of.
DROP VIEW delivery_changes;
--> statement-breakpoint
CREATE VIEW delivery_changes AS
SELECT
  seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch') AS at,
  reason AS delivery, stream_sequence AS first_sequence, message
FROM (
  SELECT seq, at_ms, type, reason, stream_sequence, message FROM archived_delivery
  UNION ALL
  SELECT seq, at_ms, type, reason, stream_sequence, message FROM event_log
  WHERE seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
)
WHERE type = 'DeliveryChanged'
ORDER BY seq;
--> statement-breakpoint
DROP VIEW delivery_gaps;
--> statement-breakpoint
CREATE VIEW delivery_gaps AS
SELECT
  seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch') AS at,
  reason, stream_sequence AS first_sequence, last_stream_sequence AS last_sequence, message
FROM (
  SELECT seq, at_ms, type, reason, stream_sequence, last_stream_sequence, message FROM archived_delivery
  UNION ALL
  SELECT seq, at_ms, type, reason, stream_sequence, last_stream_sequence, message FROM event_log
  WHERE seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
)
WHERE type = 'DeliveryGap'
ORDER BY seq;
--> statement-breakpoint
DROP VIEW peer_history;
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
      || CASE
        WHEN opened.seq IS NULL AND archived_opened.seq IS NULL THEN ''
        ELSE printf(' after %.1f s', max(log.at_ms - coalesce(opened.at_ms, archived_opened.opened_at_ms), 0) / 1000.0)
      END
      || ': ' || log.reason
    WHEN 'OpenFailed' THEN 'outbound stream failed to open: ' || log.reason || ': ' || log.message
    WHEN 'InboundRefused' THEN 'inbound stream refused: ' || log.reason || ': ' || log.message
    WHEN 'DeliveryChanged' THEN 'events come ' || replace(log.reason, '_', ' ') || ': ' || log.message
    WHEN 'DeliveryGap' THEN 'events are missing: ' || log.reason || ': ' || log.message
    WHEN 'LogArchived' THEN 'archived: ' || log.message
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
LEFT JOIN archived_open_stream AS archived_opened
  ON archived_opened.last_seq = (SELECT max(last_seq) FROM archive_anchor) AND archived_opened.seq = log.cause_seq
LEFT JOIN repeated_failures AS repeated ON repeated.first_seq = log.seq
WHERE log.seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
UNION ALL
SELECT
  log.superseded_peer_id, desired.name, desired.did, log.seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', log.at_ms / 1000.0, 'unixepoch'),
  log.type,
  'no longer desired: ' || coalesce(log.source, 'unknown') || ' gave its resource ' || log.resource_id || ' to ' || log.peer_id,
  log.cause_seq, log.source, log.effect, NULL
FROM event_log AS log
LEFT JOIN desired_peer AS desired ON desired.peer_id = log.superseded_peer_id
WHERE log.superseded_peer_id IS NOT NULL AND log.seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
UNION ALL
SELECT
  archived.peer_id, desired.name, desired.did, anchor.last_seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', anchor.last_at_ms / 1000.0, 'unixepoch'),
  'LogArchived',
  CASE archived.events WHEN 1 THEN '1 earlier event is in ' ELSE archived.events || ' earlier events are in ' END || anchor.file,
  NULL, NULL, NULL, NULL
FROM archived_peer AS archived
JOIN archive_anchor AS anchor ON anchor.last_seq = archived.last_seq
LEFT JOIN desired_peer AS desired ON desired.peer_id = archived.peer_id
ORDER BY seq;
