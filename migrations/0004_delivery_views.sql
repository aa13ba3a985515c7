-- How events came to this daemon, and what it could not have: part of the public interface (docs/SQL.md).
CREATE VIEW delivery_changes AS
SELECT
  seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch') AS at,
  reason AS delivery, stream_sequence AS first_sequence, message
FROM event_log
WHERE type = 'DeliveryChanged'
ORDER BY seq;
--> statement-breakpoint
CREATE VIEW delivery_gaps AS
SELECT
  seq,
  strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch') AS at,
  reason, stream_sequence AS first_sequence, last_stream_sequence AS last_sequence, message
FROM event_log
WHERE type = 'DeliveryGap'
ORDER BY seq;
