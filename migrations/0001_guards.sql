-- The append-only guards. They live in the schema, so that they hold for every SQLite client, not only for the daemon.
-- A client without recursive_triggers fires no delete trigger for the row that INSERT OR REPLACE replaces; therefore an insert that
-- would replace a row, by its seq or by its dedupe_key, is refused before it happens.
CREATE TRIGGER event_log_no_update BEFORE UPDATE ON event_log
BEGIN
  SELECT RAISE(ABORT, 'event_log is append-only: its rows are never updated');
END;
--> statement-breakpoint
CREATE TRIGGER event_log_no_delete BEFORE DELETE ON event_log
WHEN OLD.seq > (SELECT coalesce(max(last_seq), 0) FROM archive_anchor)
BEGIN
  SELECT RAISE(ABORT, 'event_log is append-only: its rows are never deleted before they are archived');
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
-- Deleting a row keeps its dedupe key, whichever program deletes it. The parts of a key are those of src/store/model/dedupe-key.ts: the
-- text after the last slash, the stream_sequence between the two slashes before it, and the rest.
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
-- An anchor replaces rows that are in a file, so it must fit the log, whichever program inserts it.
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
