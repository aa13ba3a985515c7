CREATE TABLE `desired_peer` (
	`peer_id` text PRIMARY KEY NOT NULL,
	`resource_id` text,
	`did` text,
	`name` text,
	`relation` text NOT NULL,
	`standing` text NOT NULL,
	`address` text,
	`desired_seq` integer NOT NULL,
	`generation` integer NOT NULL,
	`since_ms` integer NOT NULL,
	`standing_seq` integer NOT NULL,
	`standing_since_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `desired_peer_resource_id` ON `desired_peer` (`resource_id`);--> statement-breakpoint
CREATE TABLE `event_log` (
	`seq` integer PRIMARY KEY NOT NULL,
	`type` text NOT NULL,
	`peer_id` text,
	`did` text,
	`at_ms` integer NOT NULL,
	`clock_set_back_ms` integer,
	`source` text,
	`claimed_user` text,
	`dedupe_key` text,
	`cause_seq` integer,
	`opened_seq` integer,
	`effect` text,
	`generation` integer,
	`superseded_peer_id` text,
	`subject` text,
	`resource_id` text,
	`name` text,
	`relation` text,
	`standing` text,
	`address` text,
	`protocol` text,
	`direction` text,
	`reason` text,
	`message` text,
	`attempt` text,
	`duration_ms` integer,
	`duration_clock` text,
	`details` text,
	`payload` blob,
	`payload_bytes` integer,
	`payload_sha256` text,
	`payload_encoding` text,
	`stream` text,
	`stream_created` text,
	`stream_sequence` integer,
	`last_stream_sequence` integer,
	`chain_hash` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `event_log_dedupe_key` ON `event_log` (`dedupe_key`) WHERE dedupe_key is not null;--> statement-breakpoint
CREATE INDEX `event_log_peer_id` ON `event_log` (`peer_id`);--> statement-breakpoint
CREATE INDEX `event_log_generation` ON `event_log` (`peer_id`,`seq`) WHERE generation = seq;--> statement-breakpoint
CREATE INDEX `event_log_superseded_peer_id` ON `event_log` (`superseded_peer_id`) WHERE superseded_peer_id is not null;--> statement-breakpoint
CREATE INDEX `event_log_resource_id` ON `event_log` (`resource_id`) WHERE resource_id is not null;--> statement-breakpoint
CREATE INDEX `event_log_cause_seq` ON `event_log` (`cause_seq`) WHERE cause_seq is not null;--> statement-breakpoint
CREATE INDEX `event_log_opened_seq` ON `event_log` (`opened_seq`) WHERE opened_seq is not null;--> statement-breakpoint
CREATE INDEX `event_log_type` ON `event_log` (`type`,`peer_id`,`direction`) WHERE effect is null;--> statement-breakpoint
CREATE INDEX `event_log_at_ms` ON `event_log` (`at_ms`);--> statement-breakpoint
CREATE TABLE `ingest_cursor` (
	`id` integer PRIMARY KEY NOT NULL,
	`stream` text NOT NULL,
	`created` text NOT NULL,
	`first_sequence` integer NOT NULL,
	`sequence` integer NOT NULL,
	`message_hash` text,
	`checksum` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `open_stream` (
	`seq` integer PRIMARY KEY NOT NULL,
	`peer_id` text NOT NULL,
	`protocol` text NOT NULL,
	`direction` text NOT NULL,
	`opened_at_ms` integer NOT NULL,
	`cause_seq` integer,
	`attempt` text
);
--> statement-breakpoint
CREATE INDEX `open_stream_peer_id` ON `open_stream` (`peer_id`);--> statement-breakpoint
CREATE TABLE `peer_status_row` (
	`peer_id` text PRIMARY KEY NOT NULL,
	`outbound_sessions` integer NOT NULL,
	`outbound_close_seq` integer,
	`outbound_close_reason` text,
	`outbound_closed_at_ms` integer,
	`inbound_close_seq` integer,
	`inbound_close_reason` text,
	`inbound_closed_at_ms` integer,
	`error_seq` integer,
	`error_code` text,
	`error_message` text,
	`error_at_ms` integer,
	`refusal_seq` integer,
	`refusal_code` text,
	`refusal_message` text,
	`refusal_at_ms` integer,
	`learned_seq` integer,
	`learned_at_ms` integer,
	`learned_details` text
);
--> statement-breakpoint
CREATE TABLE `repeated_failures` (
	`first_seq` integer PRIMARY KEY NOT NULL,
	`count` integer NOT NULL,
	`last_at_ms` integer NOT NULL,
	`checksum` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `archive_anchor` (
	`last_seq` integer PRIMARY KEY NOT NULL,
	`first_seq` integer NOT NULL,
	`first_at_ms` integer NOT NULL,
	`last_at_ms` integer NOT NULL,
	`last_chain_hash` text NOT NULL,
	`events` integer NOT NULL,
	`file` text NOT NULL,
	`directory` text NOT NULL,
	`file_bytes` integer NOT NULL,
	`file_sha256` text NOT NULL,
	`archived_at_ms` integer NOT NULL,
	`logged_seq` integer NOT NULL,
	`state_sha256` text NOT NULL,
	`packed_sha256` text NOT NULL,
	`state` blob NOT NULL
);
--> statement-breakpoint
CREATE TABLE `archived_core_message` (
	`seq` integer PRIMARY KEY NOT NULL,
	`at_ms` integer NOT NULL,
	`subject` text NOT NULL,
	`payload_sha256` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `archived_delivery` (
	`seq` integer PRIMARY KEY NOT NULL,
	`type` text NOT NULL,
	`at_ms` integer NOT NULL,
	`reason` text NOT NULL,
	`stream` text,
	`stream_created` text,
	`stream_sequence` integer,
	`last_stream_sequence` integer,
	`message` text,
	`chain_hash` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `archived_message` (
	`stream_id` integer NOT NULL,
	`stream_sequence` integer NOT NULL,
	`message_hash` text NOT NULL,
	PRIMARY KEY(`stream_id`, `stream_sequence`, `message_hash`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `archived_open_stream` (
	`last_seq` integer NOT NULL,
	`seq` integer NOT NULL,
	`peer_id` text NOT NULL,
	`protocol` text NOT NULL,
	`direction` text NOT NULL,
	`opened_at_ms` integer NOT NULL,
	`cause_seq` integer,
	`attempt` text,
	PRIMARY KEY(`last_seq`, `seq`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `archived_peer` (
	`peer_id` text NOT NULL,
	`last_seq` integer NOT NULL,
	`events` integer NOT NULL,
	`relation` text,
	`standing` text,
	`address` text,
	`generation` integer,
	`since_ms` integer,
	`standing_seq` integer,
	`standing_since_ms` integer,
	`outbound_close_seq` integer,
	`outbound_close_reason` text,
	`outbound_closed_at_ms` integer,
	`learned_seq` integer,
	`learned_at_ms` integer,
	`learned_details` text,
	`stream_created` text,
	`stream_sequence` integer,
	`stream_seq` integer,
	PRIMARY KEY(`peer_id`, `last_seq`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `archived_resource` (
	`resource_id` text NOT NULL,
	`last_seq` integer NOT NULL,
	`peer_id` text NOT NULL,
	`stream_created` text,
	`stream_sequence` integer,
	`stream_seq` integer,
	PRIMARY KEY(`resource_id`, `last_seq`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `archived_stream` (
	`id` integer PRIMARY KEY NOT NULL,
	`created` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `archived_stream_created` ON `archived_stream` (`created`);