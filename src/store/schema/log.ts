/**
 * The tables. `event_log` is the truth; `desired_peer`, `peer_status_row` and `open_stream` are projections of it that can be
 * rebuilt at any time. Readers use the views (docs/SQL.md), which stay as they are when a table changes. The append-only guard
 * and the views are SQL that drizzle does not generate: migrations/0001_guards_and_views.sql.
 */
import { sql } from "drizzle-orm";
import { blob, index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { ErrorCode } from "../../base/errors.ts";
import type { Address, Did, PeerId, ResourceId } from "../../base/ids.ts";
import type {
  CloseReason,
  DeliveryGuarantee,
  Direction,
  Effect,
  GapReason,
  LogEvent,
  RejectionReason,
  Standing,
} from "../../events/types.ts";

export const eventLog = sqliteTable(
  "event_log",
  {
    /** Gapless from 1, given in the transaction that appends. */
    seq: integer("seq").primaryKey(),
    type: text("type").$type<LogEvent["type"]>().notNull(),
    peerId: text("peer_id").$type<PeerId>(),
    did: text("did").$type<Did>(),
    atMs: integer("at_ms").notNull(),
    /** The app that published the event; this daemon's own name for what it observed. */
    source: text("source"),
    /** What makes a redelivered message recognisable. */
    dedupeKey: text("dedupe_key"),
    /** The StreamOpened that a StreamClosed ends. */
    causeSeq: integer("cause_seq"),
    effect: text("effect").$type<Effect>(),
    /** The partner that stopped being one because its resource now means `peer_id`. */
    supersededPeerId: text("superseded_peer_id").$type<PeerId>(),
    subject: text("subject"),
    resourceId: text("resource_id").$type<ResourceId>(),
    name: text("name"),
    relation: text("relation"),
    standing: text("standing").$type<Standing>(),
    address: text("address").$type<Address>(),
    protocol: text("protocol"),
    direction: text("direction").$type<Direction>(),
    reason: text("reason").$type<CloseReason | RejectionReason | ErrorCode | DeliveryGuarantee | GapReason>(),
    message: text("message"),
    /** The message as received, up to its first 64 KiB. */
    payload: blob("payload", { mode: "buffer" }),
    /** The size of the whole message. */
    payloadBytes: integer("payload_bytes"),
    /** The hash of the whole message, lower-case hex. */
    payloadSha256: text("payload_sha256"),
    /** `utf8` where `payload` can be shown as text: valid UTF-8 without NUL. */
    payloadEncoding: text("payload_encoding").$type<"utf8" | "binary">(),
    /** The sequence that the broker's stream gave the message; of a DeliveryGap the first one missing, of a DeliveryChanged the first one followed. */
    streamSequence: integer("stream_sequence"),
    /** Of a DeliveryGap: the last sequence missing, where that is known. */
    lastStreamSequence: integer("last_stream_sequence"),
    /** What ties the row to all rows before it (chain.ts). Null only between a migration and the sealing that follows it. */
    chainHash: text("chain_hash"),
  },
  (table) => [
    uniqueIndex("event_log_dedupe_key").on(table.dedupeKey).where(sql`dedupe_key is not null`),
    index("event_log_peer_id").on(table.peerId),
    index("event_log_superseded_peer_id").on(table.supersededPeerId).where(sql`superseded_peer_id is not null`),
    index("event_log_resource_id").on(table.resourceId).where(sql`resource_id is not null`),
    index("event_log_cause_seq").on(table.causeSeq).where(sql`cause_seq is not null`),
    // With the peer, so that the views find one peer's streams without reading all of them.
    index("event_log_type").on(table.type, table.peerId),
  ],
);

/** Projection: the fold of the desired events. */
export const desiredPeer = sqliteTable(
  "desired_peer",
  {
    peerId: text("peer_id").$type<PeerId>().primaryKey(),
    resourceId: text("resource_id").$type<ResourceId>(),
    did: text("did").$type<Did>(),
    name: text("name"),
    relation: text("relation").notNull(),
    standing: text("standing").$type<Standing>().notNull(),
    address: text("address").$type<Address>(),
    desiredSeq: integer("desired_seq").notNull(),
    generation: integer("generation").notNull(),
    sinceMs: integer("since_ms").notNull(),
  },
  (table) => [uniqueIndex("desired_peer_resource_id").on(table.resourceId)],
);

/** Projection: the fold of the observed events, less the streams that are open. */
export const peerStatusRow = sqliteTable("peer_status_row", {
  peerId: text("peer_id").$type<PeerId>().primaryKey(),
  outboundSessions: integer("outbound_sessions").notNull(),
  outboundCloseReason: text("outbound_close_reason").$type<CloseReason>(),
  outboundClosedAtMs: integer("outbound_closed_at_ms"),
  inboundCloseReason: text("inbound_close_reason").$type<CloseReason>(),
  inboundClosedAtMs: integer("inbound_closed_at_ms"),
  errorSeq: integer("error_seq"),
  errorCode: text("error_code").$type<ErrorCode>(),
  errorMessage: text("error_message"),
  errorAtMs: integer("error_at_ms"),
  refusalSeq: integer("refusal_seq"),
  refusalCode: text("refusal_code").$type<ErrorCode>(),
  refusalMessage: text("refusal_message"),
  refusalAtMs: integer("refusal_at_ms"),
});

/** Projection: every StreamOpened that no StreamClosed has ended yet. */
export const openStream = sqliteTable(
  "open_stream",
  {
    seq: integer("seq").primaryKey(),
    peerId: text("peer_id").$type<PeerId>().notNull(),
    protocol: text("protocol").notNull(),
    direction: text("direction").$type<Direction>().notNull(),
    openedAtMs: integer("opened_at_ms").notNull(),
  },
  (table) => [index("open_stream_peer_id").on(table.peerId)],
);

/**
 * Where in the broker's stream the log stands: written in the same transaction as the events it brought. One row, or none as long as
 * nothing came from a stream.
 */
export const ingestCursor = sqliteTable("ingest_cursor", {
  id: integer("id").primaryKey(),
  stream: text("stream").notNull(),
  /** When the broker made that stream, as it says it: another time means another stream of the same name. */
  created: text("created").notNull(),
  /** The first sequence of that stream which the log has followed it from. */
  firstSequence: integer("first_sequence").notNull(),
  /** Every message up to this one is in the log, was not meant for it, or is in a recorded gap. */
  sequence: integer("sequence").notNull(),
  /** The hash of the message at `sequence` (dedupe-key.ts), by which a reused sequence is recognised; null where it is not known. */
  messageHash: text("message_hash"),
  checksum: text("checksum").notNull(),
});

/**
 * Not a projection: how often the failure or refusal logged as `first_seq` happened again, which the log does not hold.
 * Losing this table loses counts, nothing else.
 */
export const repeatedFailures = sqliteTable("repeated_failures", {
  firstSeq: integer("first_seq").primaryKey(),
  count: integer("count").notNull(),
  lastAtMs: integer("last_at_ms").notNull(),
  /** Null in a row that an earlier version wrote. */
  checksum: text("checksum"),
});
