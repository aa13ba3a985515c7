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
	`stream_sequence` integer,
	`last_stream_sequence` integer,
	`message` text NOT NULL,
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
	PRIMARY KEY(`last_seq`, `seq`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `archived_peer` (
	`peer_id` text NOT NULL,
	`last_seq` integer NOT NULL,
	`events` integer NOT NULL,
	`relation` text,
	`standing` text,
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