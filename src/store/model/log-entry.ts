/** A row of the log, as the program sees it, and the columns that its event takes. */
import { type ErrorCode, PartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import type { CloseReason, DeliveryGuarantee, Effect, GapReason, LogEvent, RejectionReason } from "../../events/types.ts";
import type { eventLog } from "../schema/log.ts";

/** The `source` of what the daemon itself observed. */
export const OWN_SOURCE = "oc-partnerd";

/** An event with its place in the log. */
export interface LogEntry<Event extends LogEvent = LogEvent> {
  readonly seq: number;
  /** Wall time, ms since the epoch. `seq`, not time, gives the order. */
  readonly atMs: number;
  readonly event: Event;
  /** Of a desired event; null for any other. */
  readonly effect: Effect | null;
  /** The partner that stopped being one because its resource now means this event's peer. */
  readonly supersededPeerId: PeerId | null;
  /** Of a StreamClosed: the seq of the StreamOpened that it ends. */
  readonly causeSeq: number | null;
  /** The app that published the event; OWN_SOURCE for what the daemon observed; null where it could not be read. */
  readonly source: string | null;
  readonly subject: string | null;
  readonly dedupeKey: string | null;
  /** The size and the SHA-256 (hex) of the message as received, whatever part of it is stored. */
  readonly payloadBytes: number | null;
  readonly payloadSha256: string | null;
  /** The place of the message in the broker's stream; null where it came without one. */
  readonly streamSequence: number | null;
  /** What ties the row to all rows before it (chain.ts). */
  readonly chainHash: string | null;
}

/**
 * A row as it was read. In a damaged file a column may hold another type than its own: what looks at the values has to expect that
 * (check/rows/column-types.ts names it).
 */
export type LogRow = typeof eventLog.$inferSelect;

/** The columns of a log row without the payload, which only its readers in SQL need. */
export type LogEntryRow = Omit<LogRow, "payload" | "payloadEncoding">;

/** The columns that a replay reads: the event, what it was appended with, and what it was said to do. */
export type ReplayedRow = Omit<LogEntryRow, "source" | "subject" | "dedupeKey" | "payloadBytes" | "payloadSha256" | "chainHash">;

type EventColumns = Pick<LogRow, "type" | "peerId" | keyof typeof NO_DETAILS>;

const NO_DETAILS = {
  did: null,
  resourceId: null,
  name: null,
  relation: null,
  standing: null,
  address: null,
  protocol: null,
  direction: null,
  reason: null,
  message: null,
  lastStreamSequence: null,
};

/** The columns of a row of which only its event and its place are kept. */
export const NO_COLUMNS: Omit<LogEntryRow, "seq" | "type" | "atMs"> = {
  ...NO_DETAILS,
  peerId: null,
  source: null,
  dedupeKey: null,
  causeSeq: null,
  effect: null,
  supersededPeerId: null,
  subject: null,
  payloadBytes: null,
  payloadSha256: null,
  streamSequence: null,
  chainHash: null,
};

/** An event's fields are named as its columns are; the columns of other events stay null. */
export function columnsOf(event: LogEvent): EventColumns {
  return { peerId: null, ...NO_DETAILS, ...event };
}

/** Throws `database_failed` for a row that this program could not have written. */
export function logEntryOf(row: LogEntryRow): LogEntry {
  const { seq, atMs, effect, supersededPeerId, causeSeq, source, subject, dedupeKey } = row;
  const { payloadBytes, payloadSha256, streamSequence, chainHash } = row;
  const place = { seq, atMs, effect, supersededPeerId, causeSeq, source, subject, dedupeKey };
  return { ...place, event: eventOf(row), payloadBytes, payloadSha256, streamSequence, chainHash };
}

/** Throws `database_failed` for a row that this program could not have written. */
export function eventOf(row: ReplayedRow): LogEvent {
  const given = <Column extends keyof EventColumns | "streamSequence">(column: Column): NonNullable<ReplayedRow[Column]> => {
    const value = row[column];
    if (value === null) throw new PartnerdError("database_failed", `event_log row ${row.seq} is a ${row.type} without ${column}`);
    return value;
  };
  const failed = () => ({
    peerId: given("peerId"),
    protocol: given("protocol"),
    reason: given("reason") as ErrorCode,
    message: given("message"),
  });
  const { type, resourceId, did, name, address, streamSequence, lastStreamSequence } = row;
  switch (type) {
    case "PeerDesired": {
      const [peerId, relation, standing] = [given("peerId"), given("relation"), given("standing")];
      return { type, peerId, resourceId, did, name, relation, standing, address };
    }
    case "PeerRemoved":
      return { type, peerId: given("peerId"), resourceId, did };
    case "EventRejected":
      return { type, reason: given("reason") as RejectionReason, message: given("message") };
    case "StreamOpened":
      return { type, peerId: given("peerId"), did, protocol: given("protocol"), direction: given("direction") };
    case "StreamClosed": {
      const reason = given("reason") as CloseReason;
      return { type, peerId: given("peerId"), protocol: given("protocol"), direction: given("direction"), reason };
    }
    case "OpenFailed":
      return { type, ...failed() };
    case "InboundRefused":
      return { type, ...failed() };
    case "DeliveryChanged":
      return { type, reason: given("reason") as DeliveryGuarantee, streamSequence, message: given("message") };
    case "DeliveryGap": {
      const [reason, message] = [given("reason") as GapReason, given("message")];
      return { type, reason, streamSequence: given("streamSequence"), lastStreamSequence, message };
    }
    case "LogArchived":
      return { type, message: given("message") };
    default:
      throw new PartnerdError("database_failed", `event_log row ${row.seq} has the unknown type ${type satisfies never}`);
  }
}
