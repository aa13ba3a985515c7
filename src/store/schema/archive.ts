/**
 * The tables that say what was moved to archive files, and that keep of it what the log has to know for ever. Their rows are only ever
 * added; triggers see to it, in migrations/0006_archive_guards_and_views.sql.
 */
import { blob, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { PeerId, ResourceId } from "../../base/ids.ts";
import type { DeliveryEvent, DeliveryGuarantee, Direction, GapReason, Standing } from "../../events/types.ts";

/**
 * One row for each archive file. Up to `last_seq` of the newest the log is in files: rows of `event_log` that are still there count for
 * nothing, and may be deleted.
 */
export const archiveAnchor = sqliteTable("archive_anchor", {
  lastSeq: integer("last_seq").primaryKey(),
  firstSeq: integer("first_seq").notNull(),
  firstAtMs: integer("first_at_ms").notNull(),
  lastAtMs: integer("last_at_ms").notNull(),
  /** Of the row `last_seq`: what the first row that stays follows. */
  lastChainHash: text("last_chain_hash").notNull(),
  events: integer("events").notNull(),
  file: text("file").notNull(),
  /** Where the file was written. It may have been taken elsewhere since. */
  directory: text("directory").notNull(),
  fileBytes: integer("file_bytes").notNull(),
  fileSha256: text("file_sha256").notNull(),
  archivedAtMs: integer("archived_at_ms").notNull(),
  /** The row of the log that says the same, in the chain. */
  loggedSeq: integer("logged_seq").notNull(),
  /** Of the JSON in `state`. */
  stateSha256: text("state_sha256").notNull(),
  /** Of `state` itself: a byte of it may be another without making a difference to the JSON. */
  packedSha256: text("packed_sha256").notNull(),
  /** What the log came to at `last_seq`, and what the tables below hold of this archive (archived-state.ts): JSON, gzipped. */
  state: blob("state", { mode: "buffer" }).notNull(),
});

/** How many events of a peer are in an archive, what the peer was at its end, and what the stream said of it last. */
export const archivedPeer = sqliteTable(
  "archived_peer",
  {
    peerId: text("peer_id").$type<PeerId>().notNull(),
    lastSeq: integer("last_seq").notNull(),
    events: integer("events").notNull(),
    /** Null for a peer that was never asked for. */
    relation: text("relation"),
    standing: text("standing").$type<Standing>(),
    /** The newest message about it in a stream: the stream by its time of creation, the sequence there, and the seq of the row. */
    streamCreated: text("stream_created"),
    streamSequence: integer("stream_sequence"),
    streamSeq: integer("stream_seq"),
  },
  (table) => [primaryKey({ columns: [table.peerId, table.lastSeq] })],
);

/** Which peer a resource meant last in an archive, and what the stream said of it last. */
export const archivedResource = sqliteTable(
  "archived_resource",
  {
    resourceId: text("resource_id").$type<ResourceId>().notNull(),
    lastSeq: integer("last_seq").notNull(),
    peerId: text("peer_id").$type<PeerId>().notNull(),
    streamCreated: text("stream_created"),
    streamSequence: integer("stream_sequence"),
    streamSeq: integer("stream_seq"),
  },
  (table) => [primaryKey({ columns: [table.resourceId, table.lastSeq] })],
);

/** The streams that were open at the end of an archive: those of the newest may be closed by rows that stay. */
export const archivedOpenStream = sqliteTable(
  "archived_open_stream",
  {
    lastSeq: integer("last_seq").notNull(),
    seq: integer("seq").notNull(),
    peerId: text("peer_id").$type<PeerId>().notNull(),
    protocol: text("protocol").notNull(),
    direction: text("direction").$type<Direction>().notNull(),
    openedAtMs: integer("opened_at_ms").notNull(),
  },
  (table) => [primaryKey({ columns: [table.lastSeq, table.seq] })],
);

/** How messages came and what was missing of them: few rows, without which nobody could say what the log is complete of. */
export const archivedDelivery = sqliteTable("archived_delivery", {
  seq: integer("seq").primaryKey(),
  type: text("type").$type<DeliveryEvent["type"]>().notNull(),
  atMs: integer("at_ms").notNull(),
  reason: text("reason").$type<DeliveryGuarantee | GapReason>().notNull(),
  streamSequence: integer("stream_sequence"),
  lastStreamSequence: integer("last_stream_sequence"),
  message: text("message").notNull(),
  chainHash: text("chain_hash").notNull(),
});

/** What the dedupe keys of archived rows begin with: the time at which their stream was made. */
export const archivedStream = sqliteTable(
  "archived_stream",
  {
    id: integer("id").primaryKey(),
    created: text("created").notNull(),
  },
  (table) => [uniqueIndex("archived_stream_created").on(table.created)],
);

/** The dedupe key of a row that was deleted, in its parts (dedupe-key.ts): a message is recognised however late it comes again. */
export const archivedMessage = sqliteTable(
  "archived_message",
  {
    streamId: integer("stream_id").notNull(),
    /** 0 where it is no part of the key. */
    streamSequence: integer("stream_sequence").notNull(),
    messageHash: text("message_hash").notNull(),
  },
  (table) => [primaryKey({ columns: [table.streamId, table.streamSequence, table.messageHash] })],
);

/** What is left of a row that came by core NATS: a stream that is followed later may hold the same message. */
export const archivedCoreMessage = sqliteTable("archived_core_message", {
  seq: integer("seq").primaryKey(),
  atMs: integer("at_ms").notNull(),
  subject: text("subject").notNull(),
  payloadSha256: text("payload_sha256").notNull(),
});
