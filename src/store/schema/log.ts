/**
 * The tables. `event_log` is authoritative; `desired_peer`, `peer_status_row` and `open_stream` are projections of it and can be
 * rebuilt at any time. Readers use the views (docs/SQL.md), which stay the same when a table changes. drizzle does not generate
 * the append-only triggers and the views: see migrations/0001_guards.sql and migrations/0002_views.sql.
 */
import { sql } from "drizzle-orm";
import { blob, index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { ErrorCode } from "../../base/errors.ts";
import type { Address, Did, PeerId, ResourceId } from "../../base/ids.ts";
import type { CloneEvidence, DeliveryGuarantee, GapReason, RollbackEvidence } from "../../events/delivery/delivery-events.ts";
import type {
  AttemptId,
  CloseReason,
  Direction,
  DurationClock,
  Effect,
  LastRun,
  LogEvent,
  RejectionReason,
  Standing,
  SuppressionReason,
} from "../../events/types.ts";
import type { IdentityChange, RestoreSource } from "../../events/upkeep/upkeep-facts.ts";

export const eventLog = sqliteTable(
  "event_log",
  {
    /** Gapless from 1, assigned in the transaction that appends. */
    seq: integer("seq").primaryKey(),
    type: text("type").$type<LogEvent["type"]>().notNull(),
    peerId: text("peer_id").$type<PeerId>(),
    did: text("did").$type<Did>(),
    atMs: integer("at_ms").notNull(),
    /** How far this row's time is before that of the row before it, in ms; null if the clock did not go backwards. */
    clockSetBackMs: integer("clock_set_back_ms"),
    /** The app that published the event; this daemon's own name for observed events. */
    source: text("source"),
    /** The user that the app named: a claim of the app, not verified. */
    claimedUser: text("claimed_user"),
    /** Identifies a message when it is redelivered. */
    dedupeKey: text("dedupe_key"),
    /**
     * For an observed event: the desired event in force for the peer at the time, null for a stranger. For a desired event appended by
     * `reinterpret`: the event that was decoded again. For an `outdated` EventRejected: the newer event that made it so.
     */
    causeSeq: integer("cause_seq"),
    /** For a StreamClosed: the StreamOpened that it ends. */
    openedSeq: integer("opened_seq"),
    effect: text("effect").$type<Effect>(),
    /** For a desired event: the generation of `peer_id` after it, equal to its seq if it changed relation, standing or address. */
    generation: integer("generation"),
    /** The peer that was a partner until it lost its resource id to `peer_id`. */
    supersededPeerId: text("superseded_peer_id").$type<PeerId>(),
    subject: text("subject"),
    resourceId: text("resource_id").$type<ResourceId>(),
    name: text("name"),
    relation: text("relation"),
    standing: text("standing").$type<Standing>(),
    address: text("address").$type<Address>(),
    protocol: text("protocol"),
    direction: text("direction").$type<Direction>(),
    reason: text("reason").$type<
      | CloseReason
      | RejectionReason
      | ErrorCode
      | DeliveryGuarantee
      | GapReason
      | RollbackEvidence
      | CloneEvidence
      | LastRun
      | SuppressionReason
      | IdentityChange
      | RestoreSource
    >(),
    /** An error's text, for people. Programs never read it: every fact has a column of its own. */
    message: text("message"),
    attempt: text("attempt").$type<AttemptId>(),
    durationMs: integer("duration_ms"),
    /** The clock that measured `duration_ms`. */
    durationClock: text("duration_clock").$type<DurationClock>(),
    /** Facts, as JSON, of the types that have some which no other column holds. */
    details: text("details"),
    /** The message as received, up to its first 64 KiB. */
    payload: blob("payload", { mode: "buffer" }),
    /** The size of the whole message. */
    payloadBytes: integer("payload_bytes"),
    /** The hash of the whole message, lower-case hex. */
    payloadSha256: text("payload_sha256"),
    /** `utf8` if `payload` can be shown as text: valid UTF-8 without NUL. */
    payloadEncoding: text("payload_encoding").$type<"utf8" | "binary">(),
    /** For a DeliveryGap, DeliveryChanged or LogRolledBack: the broker stream, and its creation time as the broker spells it. */
    stream: text("stream"),
    streamCreated: text("stream_created"),
    /**
     * The message's sequence in the broker stream. For a DeliveryGap: the first one missing. For a DeliveryChanged: the first one
     * followed. For a LogRolledBack: the first one acknowledged that the log lacks.
     */
    streamSequence: integer("stream_sequence"),
    /** For a DeliveryGap: the last sequence missing, if known. For a LogRolledBack: the last one that the log lacks. */
    lastStreamSequence: integer("last_stream_sequence"),
    /** Ties the row to all rows before it (chain.ts). */
    chainHash: text("chain_hash").notNull(),
  },
  (table) => [
    uniqueIndex("event_log_dedupe_key").on(table.dedupeKey).where(sql`dedupe_key is not null`),
    index("event_log_peer_id").on(table.peerId),
    index("event_log_generation").on(table.peerId, table.seq).where(sql`generation = seq`),
    index("event_log_superseded_peer_id").on(table.supersededPeerId).where(sql`superseded_peer_id is not null`),
    index("event_log_resource_id").on(table.resourceId).where(sql`resource_id is not null`),
    index("event_log_cause_seq").on(table.causeSeq).where(sql`cause_seq is not null`),
    index("event_log_opened_seq").on(table.openedSeq).where(sql`opened_seq is not null`),
    // Finds a peer's newest stream in one direction, up to any seq, without reading the others. Desired events, which arrive by the
    // thousand, are not in it: each would cost a write at a random place. A query must say `effect is null` to use it.
    index("event_log_type").on(table.type, table.peerId, table.direction).where(sql`effect is null`),
    index("event_log_at_ms").on(table.atMs),
  ],
);

/** Projection: a fold of the desired events. */
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
    standingSeq: integer("standing_seq").notNull(),
    standingSinceMs: integer("standing_since_ms").notNull(),
  },
  (table) => [uniqueIndex("desired_peer_resource_id").on(table.resourceId)],
);

/** Projection: a fold of the observed events, without the open streams. */
export const peerStatusRow = sqliteTable("peer_status_row", {
  peerId: text("peer_id").$type<PeerId>().primaryKey(),
  outboundSessions: integer("outbound_sessions").notNull(),
  outboundCloseSeq: integer("outbound_close_seq"),
  outboundCloseReason: text("outbound_close_reason").$type<CloseReason>(),
  outboundClosedAtMs: integer("outbound_closed_at_ms"),
  inboundCloseSeq: integer("inbound_close_seq"),
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
  /** The newest PeerLearned and its `details`. */
  learnedSeq: integer("learned_seq"),
  learnedAtMs: integer("learned_at_ms"),
  learnedDetails: text("learned_details"),
});

/** Projection: every StreamOpened without a StreamClosed. */
export const openStream = sqliteTable(
  "open_stream",
  {
    seq: integer("seq").primaryKey(),
    peerId: text("peer_id").$type<PeerId>().notNull(),
    protocol: text("protocol").notNull(),
    direction: text("direction").$type<Direction>().notNull(),
    openedAtMs: integer("opened_at_ms").notNull(),
    causeSeq: integer("cause_seq"),
    attempt: text("attempt").$type<AttemptId>(),
  },
  (table) => [index("open_stream_peer_id").on(table.peerId)],
);

/**
 * The log's position in the broker stream, written in the same transaction as the events that it covers. One row, or none before the
 * first message from a stream.
 */
export const ingestCursor = sqliteTable("ingest_cursor", {
  id: integer("id").primaryKey(),
  stream: text("stream").notNull(),
  /** Creation time of that stream as the broker spells it. A different time means a different stream of the same name. */
  created: text("created").notNull(),
  /** The first sequence that the log followed. */
  firstSequence: integer("first_sequence").notNull(),
  /** Every message up to this one is in the log, was irrelevant to it, or is in a recorded gap. */
  sequence: integer("sequence").notNull(),
  /** The hash of the message at `sequence` (dedupe-key.ts), which reveals a reused sequence; null if unknown. */
  messageHash: text("message_hash"),
  checksum: text("checksum").notNull(),
});

/**
 * Not a projection: how often the failure or refusal logged as `first_seq` was repeated, which the log does not record.
 * Losing this table loses counts, nothing else.
 */
export const repeatedFailures = sqliteTable("repeated_failures", {
  firstSeq: integer("first_seq").primaryKey(),
  count: integer("count").notNull(),
  lastAtMs: integer("last_at_ms").notNull(),
  checksum: text("checksum").notNull(),
});
