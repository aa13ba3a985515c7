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
	`since_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `desired_peer_resource_id` ON `desired_peer` (`resource_id`);--> statement-breakpoint
CREATE TABLE `event_log` (
	`seq` integer PRIMARY KEY NOT NULL,
	`type` text NOT NULL,
	`peer_id` text,
	`did` text,
	`at_ms` integer NOT NULL,
	`source` text,
	`dedupe_key` text,
	`cause_seq` integer,
	`effect` text,
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
	`payload` blob,
	`payload_bytes` integer,
	`payload_sha256` text,
	`payload_encoding` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `event_log_dedupe_key` ON `event_log` (`dedupe_key`) WHERE dedupe_key is not null;--> statement-breakpoint
CREATE INDEX `event_log_peer_id` ON `event_log` (`peer_id`);--> statement-breakpoint
CREATE INDEX `event_log_superseded_peer_id` ON `event_log` (`superseded_peer_id`) WHERE superseded_peer_id is not null;--> statement-breakpoint
CREATE INDEX `event_log_cause_seq` ON `event_log` (`cause_seq`) WHERE cause_seq is not null;--> statement-breakpoint
CREATE INDEX `event_log_type` ON `event_log` (`type`,`peer_id`);--> statement-breakpoint
CREATE TABLE `open_stream` (
	`seq` integer PRIMARY KEY NOT NULL,
	`peer_id` text NOT NULL,
	`protocol` text NOT NULL,
	`direction` text NOT NULL,
	`opened_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `open_stream_peer_id` ON `open_stream` (`peer_id`);--> statement-breakpoint
CREATE TABLE `peer_status_row` (
	`peer_id` text PRIMARY KEY NOT NULL,
	`outbound_sessions` integer NOT NULL,
	`outbound_close_reason` text,
	`outbound_closed_at_ms` integer,
	`inbound_close_reason` text,
	`inbound_closed_at_ms` integer,
	`error_seq` integer,
	`error_code` text,
	`error_message` text,
	`error_at_ms` integer,
	`refusal_seq` integer,
	`refusal_code` text,
	`refusal_message` text,
	`refusal_at_ms` integer
);
--> statement-breakpoint
CREATE TABLE `repeated_failures` (
	`first_seq` integer PRIMARY KEY NOT NULL,
	`count` integer NOT NULL,
	`last_at_ms` integer NOT NULL
);
