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
ALTER TABLE `event_log` ADD `stream_sequence` integer;--> statement-breakpoint
ALTER TABLE `event_log` ADD `last_stream_sequence` integer;--> statement-breakpoint
ALTER TABLE `event_log` ADD `chain_hash` text;--> statement-breakpoint
ALTER TABLE `repeated_failures` ADD `checksum` text;