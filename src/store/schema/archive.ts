/**
 * The tables that describe the archive files and keep what the log still needs of archived rows. Append-only: see the triggers in
 * migrations/0001_guards.sql.
 */
import { blob, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { Address, PeerId, ResourceId } from "../../base/ids.ts";
import type { DeliveryEvent, DeliveryGuarantee, GapReason, RollbackEvidence } from "../../events/delivery/delivery-events.ts";
import type { AttemptId, CloseReason, Direction, Standing } from "../../events/types.ts";

/**
 * One row for each archive file. The files hold the log up to `last_seq` of the newest: rows of `event_log` up to there are leftovers
 * and may be deleted.
 */
export const archiveAnchor = sqliteTable("archive_anchor", {
  lastSeq: integer("last_seq").primaryKey(),
  firstSeq: integer("first_seq").notNull(),
  firstAtMs: integer("first_at_ms").notNull(),
  lastAtMs: integer("last_at_ms").notNull(),
  /** Of the row `last_seq`, which the first remaining row follows. */
  lastChainHash: text("last_chain_hash").notNull(),
  events: integer("events").notNull(),
  file: text("file").notNull(),
  /** Where the file was written; it may have been moved since. */
  directory: text("directory").notNull(),
  fileBytes: integer("file_bytes").notNull(),
  fileSha256: text("file_sha256").notNull(),
  archivedAtMs: integer("archived_at_ms").notNull(),
  /** The row of the log that records the same facts in the chain. */
  loggedSeq: integer("logged_seq").notNull(),
  /** Of the JSON in `state`. */
  stateSha256: text("state_sha256").notNull(),
  /** Of `state` itself: gzip allows bytes to change without changing the JSON. */
  packedSha256: text("packed_sha256").notNull(),
  /** The projections at `last_seq`, and this archive's rows in the tables below (archived-state.ts): gzipped JSON. */
  state: blob("state", { mode: "buffer" }).notNull(),
});

/** A peer with events in an archive: their number, its state at the end, and the newest message about it in a broker stream. */
export const archivedPeer = sqliteTable(
  "archived_peer",
  {
    peerId: text("peer_id").$type<PeerId>().notNull(),
    lastSeq: integer("last_seq").notNull(),
    events: integer("events").notNull(),
    /** The columns up to `standingSinceMs` are those of `desired_peer` at the end of the archive; null for a stranger. */
    relation: text("relation"),
    standing: text("standing").$type<Standing>(),
    address: text("address").$type<Address>(),
    generation: integer("generation"),
    sinceMs: integer("since_ms"),
    standingSeq: integer("standing_seq"),
    standingSinceMs: integer("standing_since_ms"),
    /** The last end of an outbound stream; null if there was none. */
    outboundCloseSeq: integer("outbound_close_seq"),
    outboundCloseReason: text("outbound_close_reason").$type<CloseReason>(),
    outboundClosedAtMs: integer("outbound_closed_at_ms"),
    /** The newest PeerLearned and its `details`; null if there was none. */
    learnedSeq: integer("learned_seq"),
    learnedAtMs: integer("learned_at_ms"),
    learnedDetails: text("learned_details"),
    /** The newest message about the peer: its stream's creation time, its sequence there, and the seq of its row. */
    streamCreated: text("stream_created"),
    streamSequence: integer("stream_sequence"),
    streamSeq: integer("stream_seq"),
  },
  (table) => [primaryKey({ columns: [table.peerId, table.lastSeq] })],
);

/** The peer that a resource id last named in an archive, and the newest message about it in a broker stream. */
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

/** The streams that were open at the end of an archive. Later rows may close those of the newest archive. */
export const archivedOpenStream = sqliteTable(
  "archived_open_stream",
  {
    lastSeq: integer("last_seq").notNull(),
    seq: integer("seq").notNull(),
    peerId: text("peer_id").$type<PeerId>().notNull(),
    protocol: text("protocol").notNull(),
    direction: text("direction").$type<Direction>().notNull(),
    openedAtMs: integer("opened_at_ms").notNull(),
    causeSeq: integer("cause_seq"),
    attempt: text("attempt").$type<AttemptId>(),
  },
  (table) => [primaryKey({ columns: [table.lastSeq, table.seq] })],
);

/** The rows about delivery. They are few, and without them nothing could be said about the completeness of the log. */
export const archivedDelivery = sqliteTable("archived_delivery", {
  seq: integer("seq").primaryKey(),
  type: text("type").$type<DeliveryEvent["type"]>().notNull(),
  atMs: integer("at_ms").notNull(),
  reason: text("reason").$type<DeliveryGuarantee | GapReason | RollbackEvidence>().notNull(),
  stream: text("stream"),
  streamCreated: text("stream_created"),
  streamSequence: integer("stream_sequence"),
  lastStreamSequence: integer("last_stream_sequence"),
  message: text("message"),
  chainHash: text("chain_hash").notNull(),
});

/** The prefix of archived dedupe keys: the creation time of their stream. */
export const archivedStream = sqliteTable(
  "archived_stream",
  {
    id: integer("id").primaryKey(),
    created: text("created").notNull(),
  },
  (table) => [uniqueIndex("archived_stream_created").on(table.created)],
);

/** The dedupe keys of deleted rows, in parts (dedupe-key.ts), so that a late redelivery is recognized. */
export const archivedMessage = sqliteTable(
  "archived_message",
  {
    streamId: integer("stream_id").notNull(),
    /** 0 if the key does not contain it. */
    streamSequence: integer("stream_sequence").notNull(),
    messageHash: text("message_hash").notNull(),
  },
  (table) => [primaryKey({ columns: [table.streamId, table.streamSequence, table.messageHash] })],
);

/** The remains of rows received by core NATS: a stream that the log follows later may hold the same messages. */
export const archivedCoreMessage = sqliteTable("archived_core_message", {
  seq: integer("seq").primaryKey(),
  atMs: integer("at_ms").notNull(),
  subject: text("subject").notNull(),
  payloadSha256: text("payload_sha256").notNull(),
});
