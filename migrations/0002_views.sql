-- The views: the public interface, documented in docs/SQL.md. Columns are only ever added. Sentences are written here and nowhere else.
-- Rows up to the newest archive are leftovers and never shown, so nothing changes between an anchor and the deletion of its last row.
CREATE VIEW events AS
SELECT
  log.seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', log.at_ms / 1000.0, 'unixepoch') AS at, log.at_ms,
  log.type, log.peer_id, coalesce(log.name, desired.name) AS name,
  log.source AS app, log.claimed_user, log.cause_seq, log.opened_seq, log.effect, log.generation,
  log.relation, log.standing, log.address, log.direction, log.reason, log.message, log.attempt, log.duration_ms, log.duration_clock,
  log.stream, log.stream_sequence, log.details, log.clock_set_back_ms,
  log.subject, log.payload_bytes,
  CASE log.payload_encoding WHEN 'utf8' THEN 'utf8' WHEN 'binary' THEN 'hex' END AS payload_encoding,
  CASE log.payload_encoding WHEN 'utf8' THEN CAST(log.payload AS TEXT) ELSE hex(log.payload) END AS payload,
  log.payload_sha256
FROM event_log AS log
LEFT JOIN desired_peer AS desired ON desired.peer_id = log.peer_id
WHERE log.seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
ORDER BY log.seq;
--> statement-breakpoint
CREATE VIEW desired_peers AS
SELECT
  peer_id, name, did, resource_id, relation, standing, address, desired_seq, generation,
  strftime('%Y-%m-%dT%H:%M:%fZ', since_ms / 1000.0, 'unixepoch') AS since
FROM desired_peer;
--> statement-breakpoint
-- Each peer's standing, relation and address over time. A row ends where the next one of its peer begins.
CREATE VIEW standing_periods AS
WITH began AS (
  SELECT
    seq, at_ms, peer_id,
    CASE type WHEN 'PeerRemoved' THEN 'REMOVED' ELSE relation END AS relation,
    CASE type WHEN 'PeerRemoved' THEN 'revoked' ELSE standing END AS standing,
    address, source, claimed_user
  FROM event_log INDEXED BY event_log_generation
  WHERE generation = seq AND seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
  UNION ALL
  SELECT seq, at_ms, superseded_peer_id, 'SUPERSEDED', 'revoked', NULL, source, claimed_user
  FROM event_log INDEXED BY event_log_superseded_peer_id
  WHERE superseded_peer_id IS NOT NULL AND seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
  UNION ALL
  -- The period that the newest archive with events of the peer ended in.
  SELECT generation, since_ms, peer_id, relation, standing, address, NULL, NULL
  FROM archived_peer AS archived
  WHERE generation IS NOT NULL
    AND last_seq = (SELECT max(last_seq) FROM archived_peer WHERE peer_id = archived.peer_id)
),
ordered AS (
  SELECT
    *,
    count(address) OVER earlier AS addresses,
    lead(seq) OVER earlier AS next_seq,
    lead(at_ms) OVER earlier AS next_at_ms
  FROM began
  WINDOW earlier AS (PARTITION BY peer_id ORDER BY seq)
),
-- An event that names no address keeps the one before it.
carried AS (
  SELECT *, max(address) OVER (PARTITION BY peer_id, addresses) AS known_address FROM ordered
)
SELECT
  carried.peer_id, desired.name, carried.standing, carried.relation, carried.known_address AS address,
  carried.seq AS valid_from_seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', carried.at_ms / 1000.0, 'unixepoch') AS valid_from_at,
  carried.next_seq AS valid_to_seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', carried.next_at_ms / 1000.0, 'unixepoch') AS valid_to_at,
  carried.source AS app, carried.claimed_user,
  carried.at_ms AS valid_from_ms, carried.next_at_ms AS valid_to_ms
FROM carried
LEFT JOIN desired_peer AS desired ON desired.peer_id = carried.peer_id;
--> statement-breakpoint
-- Each partner stream, and how long it was open.
CREATE VIEW session_periods AS
WITH begun AS (
  SELECT seq, at_ms, peer_id, protocol, direction, cause_seq, attempt
  FROM event_log
  WHERE type = 'StreamOpened' AND effect IS NULL AND seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
  UNION ALL
  SELECT seq, opened_at_ms, peer_id, protocol, direction, cause_seq, attempt
  FROM archived_open_stream
  WHERE last_seq = (SELECT max(last_seq) FROM archive_anchor)
)
SELECT
  begun.peer_id, desired.name, begun.protocol, begun.direction, begun.attempt,
  begun.seq AS valid_from_seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', begun.at_ms / 1000.0, 'unixepoch') AS valid_from_at,
  closed.seq AS valid_to_seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', closed.at_ms / 1000.0, 'unixepoch') AS valid_to_at,
  closed.duration_ms, closed.duration_clock, closed.reason AS close_reason,
  begun.cause_seq, closed.cause_seq AS close_cause_seq,
  begun.at_ms AS valid_from_ms,
  closed.at_ms AS valid_to_ms
FROM begun
LEFT JOIN event_log AS closed ON closed.opened_seq = begun.seq AND closed.type = 'StreamClosed' AND closed.effect IS NULL
LEFT JOIN desired_peer AS desired ON desired.peer_id = begun.peer_id;
--> statement-breakpoint
-- Periods in which each peer was a partner, whatever its address.
CREATE VIEW partner_periods AS
WITH changed AS (
  SELECT
    peer_id, name, standing, valid_from_seq, valid_from_ms,
    lag(standing) OVER (PARTITION BY peer_id ORDER BY valid_from_seq) AS previous_standing
  FROM standing_periods
),
unbroken AS (
  SELECT
    peer_id, name, standing, valid_from_seq, valid_from_ms,
    lead(valid_from_seq) OVER later AS valid_to_seq,
    lead(valid_from_ms) OVER later AS valid_to_ms
  FROM changed
  WHERE standing IS NOT previous_standing
  WINDOW later AS (PARTITION BY peer_id ORDER BY valid_from_seq)
),
-- A period that began in an archive may have begun before its last change of address.
exact AS (
  SELECT
    unbroken.peer_id, unbroken.name, unbroken.standing,
    coalesce(archived.standing_seq, unbroken.valid_from_seq) AS valid_from_seq,
    coalesce(archived.standing_since_ms, unbroken.valid_from_ms) AS valid_from_ms,
    unbroken.valid_to_seq, unbroken.valid_to_ms
  FROM unbroken
  LEFT JOIN archived_peer AS archived
    ON archived.peer_id = unbroken.peer_id AND archived.generation = unbroken.valid_from_seq
    AND archived.last_seq = (SELECT max(last_seq) FROM archived_peer WHERE peer_id = unbroken.peer_id)
)
SELECT
  peer_id, name, valid_from_seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', valid_from_ms / 1000.0, 'unixepoch') AS valid_from_at,
  valid_to_seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', valid_to_ms / 1000.0, 'unixepoch') AS valid_to_at,
  valid_from_ms, valid_to_ms
FROM exact
WHERE standing = 'partner';
--> statement-breakpoint
-- Periods in which a partner had no outbound stream: until the next one, or until the peer stopped being a partner.
CREATE VIEW outage_periods AS
WITH down AS (
  SELECT
    partner.peer_id, partner.name, partner.valid_from_seq AS seq, partner.valid_from_ms AS from_ms,
    NULL AS opened_ms, NULL AS measured_ms, 'desired' AS began,
    partner.valid_to_seq AS partner_to_seq, partner.valid_to_ms AS partner_to_ms
  FROM partner_periods AS partner
  WHERE partner.valid_from_seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
    AND NOT EXISTS (
      SELECT 1 FROM session_periods AS open
      WHERE open.peer_id = partner.peer_id AND open.direction = 'outbound' AND open.valid_from_seq < partner.valid_from_seq
        AND (open.valid_to_seq IS NULL OR open.valid_to_seq > partner.valid_from_seq)
    )
  UNION ALL
  SELECT
    partner.peer_id, partner.name, closed.seq, closed.at_ms, opened.at_ms, opened.at_ms + closed.duration_ms,
    closed.reason, partner.valid_to_seq, partner.valid_to_ms
  FROM partner_periods AS partner
  JOIN event_log AS closed
    ON closed.type = 'StreamClosed' AND closed.effect IS NULL AND closed.peer_id = partner.peer_id AND closed.direction = 'outbound'
    AND closed.seq > partner.valid_from_seq AND (partner.valid_to_seq IS NULL OR closed.seq < partner.valid_to_seq)
  LEFT JOIN event_log AS opened ON opened.seq = closed.opened_seq
  WHERE closed.seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
  UNION ALL
  -- An outage in which the newest archive ended.
  SELECT
    partner.peer_id, partner.name,
    max(partner.valid_from_seq, coalesce(archived.outbound_close_seq, 0)),
    CASE WHEN archived.outbound_close_seq > partner.valid_from_seq THEN archived.outbound_closed_at_ms ELSE partner.valid_from_ms END,
    NULL, NULL,
    CASE WHEN archived.outbound_close_seq > partner.valid_from_seq THEN archived.outbound_close_reason ELSE 'desired' END,
    partner.valid_to_seq, partner.valid_to_ms
  FROM partner_periods AS partner
  JOIN archived_peer AS archived
    ON archived.peer_id = partner.peer_id
    AND archived.last_seq = (SELECT max(last_seq) FROM archived_peer WHERE peer_id = partner.peer_id)
  WHERE partner.valid_from_seq <= (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
    AND (partner.valid_to_seq IS NULL OR partner.valid_to_seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor))
    AND NOT EXISTS (
      SELECT 1 FROM archived_open_stream AS open
      WHERE open.last_seq = (SELECT max(last_seq) FROM archive_anchor) AND open.peer_id = partner.peer_id AND open.direction = 'outbound'
    )
),
next AS (
  SELECT
    down.*,
    (
      SELECT min(opened.seq) FROM event_log AS opened
      WHERE opened.type = 'StreamOpened' AND opened.effect IS NULL AND opened.peer_id = down.peer_id AND opened.direction = 'outbound'
        AND opened.seq > max(down.seq, (SELECT coalesce(max(last_seq), 0) FROM archive_anchor))
    ) AS opened_seq
  FROM down
),
ended AS (
  SELECT
    peer_id, name, seq, from_ms, opened_ms, measured_ms, began,
    CASE WHEN opened_seq < coalesce(partner_to_seq, opened_seq + 1) THEN opened_seq ELSE partner_to_seq END AS to_seq,
    CASE WHEN opened_seq < coalesce(partner_to_seq, opened_seq + 1)
      THEN (SELECT at_ms FROM event_log WHERE seq = next.opened_seq) ELSE partner_to_ms END AS to_ms,
    CASE WHEN opened_seq < coalesce(partner_to_seq, opened_seq + 1) THEN 'connected' WHEN partner_to_seq IS NOT NULL THEN 'revoked' END AS ended
  FROM next
),
-- If the recorded time of a close is more than a minute later than the measured one, or before the opening, the clock was set while the
-- stream was open. The recorded time is used if it is before the end of the outage, else the measured one, if that is.
timed AS (
  SELECT
    peer_id, name, seq, began, to_seq, to_ms, ended,
    CASE
      WHEN opened_ms IS NULL OR from_ms BETWEEN opened_ms AND measured_ms + 60000 THEN from_ms
      WHEN from_ms >= opened_ms AND from_ms <= coalesce(to_ms, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)) THEN from_ms
      WHEN measured_ms <= coalesce(to_ms, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)) THEN measured_ms
      ELSE from_ms
    END AS from_ms
  FROM ended
)
SELECT
  peer_id, name, began,
  (
    SELECT group_concat(reason, ', ') FROM (
      SELECT DISTINCT failed.reason FROM event_log AS failed
      WHERE failed.type = 'OpenFailed' AND failed.effect IS NULL AND failed.peer_id = timed.peer_id AND failed.direction IS NULL
        AND failed.seq > max(timed.seq, (SELECT coalesce(max(last_seq), 0) FROM archive_anchor))
        AND (timed.to_seq IS NULL OR failed.seq < timed.to_seq)
      ORDER BY failed.reason
    )
  ) AS failures,
  ended,
  seq AS valid_from_seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', from_ms / 1000.0, 'unixepoch') AS valid_from_at,
  to_seq AS valid_to_seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', to_ms / 1000.0, 'unixepoch') AS valid_to_at,
  round(max(0, coalesce(to_ms, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)) - from_ms) / 1000.0, 3) AS seconds,
  from_ms AS valid_from_ms, to_ms AS valid_to_ms
FROM timed
-- Replacing a stream is not an outage.
WHERE NOT (began = 'replaced' AND to_seq IS NOT NULL AND to_seq = seq + 1);
--> statement-breakpoint
-- Each partner's uptime by UTC day. A period that has not ended counts until now.
CREATE VIEW uptime_daily AS
WITH RECURSIVE day (start_ms, next_ms) AS (
  SELECT first_ms - first_ms % 86400000, first_ms - first_ms % 86400000 + 86400000
  FROM (
    -- After an archive, the first whole day: the archive has the outages of the day in which it ends, and of all before. The first row
    -- cannot tell, because its clock may have been ahead; the earliest row alone cannot either, because its clock may have been behind.
    -- A time before 2020 is that of a clock that was never set, and would add days by the thousand.
    SELECT
      max(at_ms, coalesce((SELECT min(max(last_at_ms), max(archived_at_ms)) FROM archive_anchor), 0))
      + CASE WHEN EXISTS (SELECT 1 FROM archive_anchor) THEN 86400000 ELSE 0 END AS first_ms
    FROM event_log
    WHERE at_ms >= 1577836800000 AND seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
    ORDER BY at_ms LIMIT 1
  )
  UNION ALL
  SELECT next_ms, next_ms + 86400000 FROM day WHERE next_ms <= CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
),
part AS (
  SELECT
    partner.peer_id, partner.name, day.start_ms,
    max(0, min(coalesce(partner.valid_to_ms, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)), day.next_ms) - max(partner.valid_from_ms, day.start_ms)) AS desired_ms,
    0 AS down_ms, 0 AS flaps
  FROM partner_periods AS partner
  JOIN day ON day.next_ms > partner.valid_from_ms AND day.start_ms < coalesce(partner.valid_to_ms, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))
  UNION ALL
  SELECT
    outage.peer_id, outage.name, day.start_ms, 0,
    max(0, min(coalesce(outage.valid_to_ms, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)), day.next_ms) - max(outage.valid_from_ms, day.start_ms)),
    outage.valid_from_ms >= day.start_ms AND outage.began NOT IN ('desired', 'shutdown', 'daemon_restart')
  FROM outage_periods AS outage
  JOIN day ON day.next_ms > outage.valid_from_ms AND day.start_ms < coalesce(outage.valid_to_ms, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))
),
summed AS (
  -- Windows and not GROUP BY: SQLite looks up one peer through the former and reads all peers for the latter.
  SELECT
    peer_id, name, start_ms,
    -- Periods overlap if the clock was set back between them.
    min(86400000, sum(desired_ms) OVER each_day) AS desired_ms,
    min(86400000, sum(down_ms) OVER each_day, sum(desired_ms) OVER each_day) AS down_ms,
    sum(flaps) OVER each_day AS flaps,
    row_number() OVER each_day AS number
  FROM part
  WINDOW each_day AS (PARTITION BY peer_id, start_ms)
)
SELECT
  peer_id, name,
  date(start_ms / 1000, 'unixepoch') AS day,
  round(desired_ms / 1000.0, 3) AS desired_seconds,
  round((desired_ms - down_ms) / 1000.0, 3) AS established_seconds,
  round(1.0 - down_ms * 1.0 / desired_ms, 6) AS share,
  flaps
FROM summed
WHERE number = 1 AND desired_ms > 0;
--> statement-breakpoint
CREATE VIEW relation_changes AS
WITH compared AS (
  SELECT
    *,
    lag(relation) OVER earlier AS previous_relation,
    lag(standing) OVER earlier AS previous_standing
  FROM standing_periods
  WINDOW earlier AS (PARTITION BY peer_id ORDER BY valid_from_seq)
)
SELECT
  peer_id, name, valid_from_seq AS seq,
  valid_from_at AS at,
  relation, previous_relation, standing, previous_standing, app, claimed_user
FROM compared
WHERE valid_from_seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
  AND (relation IS NOT previous_relation OR standing IS NOT previous_standing)
ORDER BY valid_from_seq;
--> statement-breakpoint
CREATE VIEW rejected_events AS
SELECT seq, at, subject, app, claimed_user, reason, message, payload_bytes, payload_encoding, payload, payload_sha256
FROM events
WHERE type = 'EventRejected' AND effect IS NULL
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
-- The facts that each peer's program has shown so far, also if their rows are archived. They are claims of the far end.
CREATE VIEW peer_programs AS
SELECT
  status.peer_id, desired.name, desired.standing, status.learned_seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', status.learned_at_ms / 1000.0, 'unixepoch') AS learned_at,
  json_extract(status.learned_details, '$.agent') AS agent,
  json_extract(status.learned_details, '$.protocolVersion') AS protocol_version,
  json_extract(status.learned_details, '$.protocols') AS protocols,
  json_extract(status.learned_details, '$.protocolsOmitted') AS protocols_omitted,
  json_extract(status.learned_details, '$.heartbeatFields') AS heartbeat_fields,
  json_extract(status.learned_details, '$.heartbeatTimestamp') AS heartbeat_timestamp,
  json_extract(status.learned_details, '$.challenge') AS challenge
FROM peer_status_row AS status
LEFT JOIN desired_peer AS desired ON desired.peer_id = status.peer_id
WHERE status.learned_seq IS NOT NULL;
--> statement-breakpoint
-- The three views about delivery stay whole after archiving: without them nothing could be said about the completeness of the log.
CREATE VIEW delivery_changes AS
SELECT
  seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch') AS at,
  reason AS delivery, stream, stream_created, stream_sequence AS first_sequence, message AS why
FROM (
  SELECT seq, at_ms, type, reason, stream, stream_created, stream_sequence, message FROM archived_delivery
  UNION ALL
  SELECT seq, at_ms, type, reason, stream, stream_created, stream_sequence, message FROM event_log
  WHERE type = 'DeliveryChanged' AND effect IS NULL AND seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
)
WHERE type = 'DeliveryChanged'
ORDER BY seq;
--> statement-breakpoint
CREATE VIEW delivery_gaps AS
SELECT
  seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch') AS at,
  reason, stream, stream_created, stream_sequence AS first_sequence, last_stream_sequence AS last_sequence
FROM (
  SELECT seq, at_ms, type, reason, stream, stream_created, stream_sequence, last_stream_sequence FROM archived_delivery
  UNION ALL
  SELECT seq, at_ms, type, reason, stream, stream_created, stream_sequence, last_stream_sequence FROM event_log
  WHERE type = 'DeliveryGap' AND effect IS NULL AND seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
)
WHERE type = 'DeliveryGap'
ORDER BY seq;
--> statement-breakpoint
CREATE VIEW rollbacks AS
SELECT
  seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch') AS at,
  reason AS evidence, stream, stream_created, stream_sequence AS first_sequence, last_stream_sequence AS last_sequence
FROM (
  SELECT seq, at_ms, type, reason, stream, stream_created, stream_sequence, last_stream_sequence FROM archived_delivery
  UNION ALL
  SELECT seq, at_ms, type, reason, stream, stream_created, stream_sequence, last_stream_sequence FROM event_log
  WHERE type = 'LogRolledBack' AND effect IS NULL AND seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
)
WHERE type = 'LogRolledBack'
ORDER BY seq;
--> statement-breakpoint
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
-- Each run of the daemon. A run without a stop, and not the last one, was killed.
CREATE VIEW runs AS
SELECT
  started.seq AS started_seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', started.at_ms / 1000.0, 'unixepoch') AS started_at,
  started.reason AS previous_run,
  stopped.seq AS stopped_seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', stopped.at_ms / 1000.0, 'unixepoch') AS stopped_at,
  stopped.duration_ms,
  json_extract(started.details, '$.version') AS version,
  json_extract(started.details, '$.schema') AS schema_version,
  json_extract(started.details, '$.configSha256') AS config_sha256,
  json_extract(started.details, '$.config') AS config,
  json_extract(started.details, '$.run') AS run,
  json_extract(started.details, '$.peerId') AS peer_id
FROM event_log AS started
LEFT JOIN event_log AS stopped ON stopped.seq = (
  SELECT min(later.seq) FROM event_log AS later
  WHERE later.type = 'DaemonStopped' AND later.effect IS NULL AND later.peer_id IS NULL AND later.direction IS NULL
    AND later.seq > started.seq
) AND NOT EXISTS (
  SELECT 1 FROM event_log AS next
  WHERE next.type = 'DaemonStarted' AND next.effect IS NULL AND next.peer_id IS NULL AND next.direction IS NULL
    AND next.seq > started.seq AND next.seq < stopped.seq
)
WHERE started.type = 'DaemonStarted' AND started.effect IS NULL AND started.seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
ORDER BY started.seq;
--> statement-breakpoint
CREATE VIEW peer_history AS
-- Quotes text of others that would read as part of the sentence, and an app that calls itself oc-partnerd. GLOB stops at a NUL, || does not.
WITH quoted AS (
  SELECT
    *,
    CASE
      WHEN source IS NULL THEN 'an unknown app'
      WHEN source IN ('', 'oc-partnerd') OR source GLOB '*[^0-9A-Za-z._@-]*' OR instr(source, char(0)) > 0
        THEN json_quote(source)
      ELSE source
    END AS spoken_source,
    CASE
      WHEN claimed_user = '' OR claimed_user GLOB '*[^0-9A-Za-z._@-]*' OR instr(claimed_user, char(0)) > 0
        THEN json_quote(claimed_user)
      ELSE claimed_user
    END AS spoken_user,
    CASE
      WHEN relation = '' OR relation GLOB '*[^0-9A-Z_()-]*' OR instr(relation, char(0)) > 0 THEN json_quote(relation)
      ELSE relation
    END AS spoken_relation,
    CASE
      WHEN resource_id = '' OR resource_id GLOB '*[^0-9A-Za-z._@:-]*' OR instr(resource_id, char(0)) > 0
        THEN json_quote(resource_id)
      ELSE resource_id
    END AS spoken_resource_id,
    CASE
      WHEN type <> 'PeerLearned' THEN NULL
      WHEN json_extract(details, '$.agent') = '' OR json_extract(details, '$.agent') GLOB '*[^0-9A-Za-z._@/-]*'
        OR instr(json_extract(details, '$.agent'), char(0)) > 0
        THEN json_quote(json_extract(details, '$.agent'))
      ELSE json_extract(details, '$.agent')
    END AS spoken_agent
  FROM event_log
),
spoken AS (
  SELECT
    *,
    CASE
      WHEN cause_seq IS NOT NULL THEN ' by reinterpreting event ' || cause_seq
      ELSE ' by ' || spoken_source || coalesce(' (claims user ' || spoken_user || ')', '')
    END AS by_whom
  FROM quoted
)
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
        WHEN 'partner' THEN 'desired as ' || log.spoken_relation
        WHEN 'blacklisted' THEN 'blacklisted (relation ' || log.spoken_relation || ')'
        ELSE 'not desired (relation ' || log.spoken_relation || ')'
      END
      || log.by_whom
      || CASE log.effect WHEN 'unchanged' THEN ', nothing changed' ELSE '' END
    WHEN 'PeerRemoved' THEN 'removed' || log.by_whom || CASE log.effect WHEN 'unchanged' THEN ', nothing changed' ELSE '' END
    WHEN 'EventRejected' THEN 'rejected: ' || log.reason || ': ' || log.message
    WHEN 'StreamOpened' THEN log.direction || ' stream opened'
    WHEN 'StreamClosed' THEN
      log.direction || ' stream closed after ' || printf('%.1f s', log.duration_ms / 1000.0)
      || CASE log.duration_clock WHEN 'wall' THEN ' (wall clock)' ELSE '' END || ': ' || log.reason
    WHEN 'OpenFailed' THEN
      'outbound stream failed to open: ' || log.reason || ': ' || log.message
      || coalesce(' (' || json_extract(log.details, '$.streamEnd') || ')', '')
    WHEN 'InboundRefused' THEN 'inbound stream refused: ' || log.reason || ': ' || log.message
    WHEN 'EventsSuppressed' THEN
      CASE json_extract(log.details, '$.events') WHEN 1 THEN '1 event' ELSE json_extract(log.details, '$.events') || ' events' END
      || CASE WHEN log.peer_id IS NOT NULL THEN '' WHEN json_extract(log.details, '$.peers') = 1 THEN ' of 1 stranger'
        ELSE ' of ' || json_extract(log.details, '$.peers') || ' strangers' END
      || ' counted, not logged, within ' || printf('%.1f s', log.duration_ms / 1000.0) || ': '
      || (
        SELECT group_concat(json_extract(value, '$.events') || ' ' || json_extract(value, '$.type')
          || coalesce(' ' || json_extract(value, '$.reason'), ''), ', ')
        FROM json_each(log.details, '$.counts')
      )
    WHEN 'PeerLearned' THEN
      'its program: ' || coalesce(log.spoken_agent, 'name unknown')
      || CASE
        -- The length of a JSON null is 0.
        WHEN json_type(log.details, '$.protocols') IS NOT 'array' THEN ''
        WHEN json_array_length(log.details, '$.protocols') + json_extract(log.details, '$.protocolsOmitted') = 1 THEN ', 1 protocol'
        ELSE ', ' || (json_array_length(log.details, '$.protocols') + json_extract(log.details, '$.protocolsOmitted')) || ' protocols'
      END
      || coalesce(', heartbeat fields ' || json_extract(log.details, '$.heartbeatFields')
        || ', timestamp ' || json_extract(log.details, '$.heartbeatTimestamp'), '')
      || coalesce(', challenge ' || json_extract(log.details, '$.challenge'), '')
    WHEN 'DeliveryChanged' THEN
      CASE log.reason
        WHEN 'at_least_once' THEN 'follows stream ' || log.stream || ' from sequence ' || log.stream_sequence
        WHEN 'not_captured' THEN 'stream ' || log.stream || ' does not capture all subjects: ' || log.message
        ELSE 'messages arrive over core NATS, at most once: ' || log.message
      END
    WHEN 'DeliveryGap' THEN
      'stream ' || log.stream || CASE log.reason
        WHEN 'purged' THEN ' no longer holds sequences ' || log.stream_sequence || ' to ' || log.last_stream_sequence
        WHEN 'recreated' THEN ' was recreated; messages from sequence ' || log.stream_sequence || ' on may be missing'
        WHEN 'rolled_back' THEN ' no longer holds sequences ' || log.stream_sequence || ' to ' || log.last_stream_sequence
          || ', which the log had before it was rolled back'
        WHEN 'unproven' THEN ' holds nothing to compare with the log; if it was rewound, newer messages with sequences '
          || log.stream_sequence || ' to ' || log.last_stream_sequence || ' are missing'
        ELSE ' was rewound; earlier messages from sequence ' || log.stream_sequence || ' on may be missing'
      END
    WHEN 'LogRolledBack' THEN
      CASE log.reason
        WHEN 'published_head' THEN
          'the log lacks the head that message ' || log.stream_sequence || ' of stream ' || log.stream
          || ' names: it is an older copy, was changed, or a copy of it is in use elsewhere'
        ELSE
          'the log is an older copy: its consumer had acknowledged sequences ' || log.stream_sequence || ' to '
          || log.last_stream_sequence || ' of stream ' || log.stream || ', which it lacks'
      END
    WHEN 'CloneSeen' THEN
      'another daemon runs with our identity: run ' || json_extract(log.details, '$.otherRun')
    WHEN 'LogArchived' THEN
      'events ' || json_extract(log.details, '$.firstSeq') || ' to ' || json_extract(log.details, '$.lastSeq')
      || ' archived to ' || json_extract(log.details, '$.file')
    WHEN 'LogReinterpreted' THEN
      'log decoded again by reinterpret: ' || CASE json_extract(log.details, '$.changes')
        WHEN 0 THEN 'nothing changed' WHEN 1 THEN '1 event appended' ELSE json_extract(log.details, '$.changes') || ' events appended' END
    WHEN 'IdentityChanged' THEN
      'our PeerID changed from ' || json_extract(log.details, '$.from') || ' to ' || json_extract(log.details, '$.to')
      || ' (' || log.reason || ')'
    WHEN 'LogRestored' THEN
      'log restored up to event ' || json_extract(log.details, '$.lastSeq') || CASE log.reason
        WHEN 'backup' THEN ' from the backup ' || json_quote(json_extract(log.details, '$.backup'))
        ELSE ' from the rows that the hash chain proves' END
      || CASE WHEN json_extract(log.details, '$.lastSeqBefore') > json_extract(log.details, '$.lastSeq')
        THEN '; it went up to event ' || json_extract(log.details, '$.lastSeqBefore') || ' before' ELSE '' END
    WHEN 'DaemonStarted' THEN
      'daemon started (version ' || json_extract(log.details, '$.version') || ')' || CASE log.reason
        WHEN 'unclean' THEN ' after an unclean shutdown' WHEN 'clean' THEN ' after a clean shutdown' ELSE ' for the first time' END
    WHEN 'DaemonStopped' THEN 'daemon stopped after ' || printf('%.1f s', log.duration_ms / 1000.0)
    ELSE log.type
  END
  AS summary,
  log.cause_seq, log.source AS app, log.claimed_user, log.effect, log.address, log.opened_seq,
  repeated.count AS repeats, strftime('%Y-%m-%dT%H:%M:%fZ', repeated.last_at_ms / 1000.0, 'unixepoch') AS last_repeat_at
FROM spoken AS log
LEFT JOIN desired_peer AS desired ON desired.peer_id = log.peer_id
LEFT JOIN repeated_failures AS repeated ON repeated.first_seq = log.seq
WHERE log.seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
UNION ALL
SELECT
  log.superseded_peer_id, desired.name, desired.did, log.seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', log.at_ms / 1000.0, 'unixepoch'),
  log.type,
  'no longer desired: its resource ' || log.spoken_resource_id || ' was given to ' || log.peer_id || log.by_whom,
  log.cause_seq, log.source, log.claimed_user, log.effect, NULL, NULL, NULL, NULL
FROM spoken AS log
LEFT JOIN desired_peer AS desired ON desired.peer_id = log.superseded_peer_id
WHERE log.superseded_peer_id IS NOT NULL AND log.seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
UNION ALL
SELECT
  archived.peer_id, desired.name, desired.did, anchor.last_seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', anchor.last_at_ms / 1000.0, 'unixepoch'),
  'LogArchived',
  CASE archived.events WHEN 1 THEN '1 earlier event is in ' ELSE archived.events || ' earlier events are in ' END || anchor.file,
  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM archived_peer AS archived
JOIN archive_anchor AS anchor ON anchor.last_seq = archived.last_seq
LEFT JOIN desired_peer AS desired ON desired.peer_id = archived.peer_id
ORDER BY seq;
