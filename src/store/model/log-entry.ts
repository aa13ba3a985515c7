/** A row of the log as the program uses it, and the mapping between events and columns. */
import type { ErrorCode } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import type {
  CloneEvidence,
  CloneSeen,
  DeliveryEvent,
  DeliveryGuarantee,
  GapReason,
  RollbackEvidence,
} from "../../events/delivery/delivery-events.ts";
import type { CloseReason, Effect, LastRun, LogEvent, RejectionReason, SuppressionReason } from "../../events/types.ts";
import type {
  IdentityChange,
  IdentityChanged,
  LogArchived,
  LogReinterpreted,
  LogRestored,
  RestoreSource,
} from "../../events/upkeep/upkeep-facts.ts";
import type { eventLog } from "../schema/log.ts";
import {
  archiveFactsIn,
  cloneFactsIn,
  detailsJson,
  failureFactsIn,
  identityFactsIn,
  invalidRow,
  learnedFactsIn,
  reinterpretFactsIn,
  restoreFactsIn,
  startFactsIn,
  suppressedFactsIn,
} from "./details.ts";

/** The `source` of observed events. */
export const OWN_SOURCE = "oc-partnerd";

/** An event with its place in the log. */
export interface LogEntry<Event extends LogEvent = LogEvent> {
  readonly seq: number;
  /** Wall time, ms since the epoch. `seq`, not time, gives the order. */
  readonly atMs: number;
  readonly event: Event;
  /** Of a desired event; null for any other. */
  readonly effect: Effect | null;
  /** Of a desired event: the peer's generation after it; null for any other. */
  readonly generation: number | null;
  /** The partner that lost its resource id to this event's peer, and so stopped being a partner. */
  readonly supersededPeerId: PeerId | null;
  /** Of an observed event: the seq of the desired event in force for the peer; null for a stranger. See the column for the rest. */
  readonly causeSeq: number | null;
  /** Of a StreamClosed: the seq of the StreamOpened that it ends. */
  readonly openedSeq: number | null;
  /** The app that published the event; OWN_SOURCE for what the daemon observed; null if it could not be read. */
  readonly source: string | null;
  /** The user that the app named; not verified. */
  readonly claimedUser: string | null;
  readonly subject: string | null;
  readonly dedupeKey: string | null;
  /** The size and SHA-256 (hex) of the whole message as received, even if only a part is stored. */
  readonly payloadBytes: number | null;
  readonly payloadSha256: string | null;
  /** The sequence of the message in the broker stream; null if it did not come from one. */
  readonly streamSequence: number | null;
  /** Ties the row to all rows before it (chain.ts); empty for an entry that stands in for archived rows. */
  readonly chainHash: string;
}

/**
 * A row as it was read. In a damaged file a column may hold another type than its own, so code that reads values must expect it
 * (check/rows/column-types.ts reports it).
 */
export type LogRow = typeof eventLog.$inferSelect;

/** The columns of a log row without the payload, which only its readers in SQL need. */
export type LogEntryRow = Omit<LogRow, "payload" | "payloadEncoding">;

/** The columns that a replay reads: the event, the context it was appended with, and its recorded effects. */
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
  attempt: null,
  durationMs: null,
  durationClock: null,
  details: null,
  stream: null,
  streamCreated: null,
  lastStreamSequence: null,
};

/** Columns for a row of which only the event and its place are known. */
export const NO_COLUMNS: Omit<LogEntryRow, "seq" | "type" | "atMs"> = {
  ...NO_DETAILS,
  peerId: null,
  clockSetBackMs: null,
  source: null,
  claimedUser: null,
  dedupeKey: null,
  causeSeq: null,
  openedSeq: null,
  effect: null,
  generation: null,
  supersededPeerId: null,
  subject: null,
  payloadBytes: null,
  payloadSha256: null,
  streamSequence: null,
  chainHash: "",
};

/** Maps an event to columns. Fields and columns have the same names; the columns of other events are null. */
export function columnsOf(event: LogEvent): EventColumns {
  switch (event.type) {
    case "LogArchived":
    case "LogReinterpreted":
    case "IdentityChanged":
    case "LogRestored":
    case "CloneSeen":
    case "DaemonStarted":
    case "PeerLearned":
      return { peerId: null, ...NO_DETAILS, ...event, details: detailsJson(event.details) };
    case "StreamOpened":
      return { ...NO_DETAILS, ...event, durationClock: event.durationMs === null ? null : "monotonic" };
    case "OpenFailed":
    case "EventsSuppressed":
      return { ...NO_DETAILS, ...event, durationClock: "monotonic", details: detailsJson(event.details) };
    case "DaemonStopped":
      return { peerId: null, ...NO_DETAILS, ...event, durationClock: "monotonic" };
    case "PeerDesired":
    case "PeerRemoved":
    case "EventRejected":
    case "StreamClosed":
    case "InboundRefused":
    case "DeliveryChanged":
    case "DeliveryGap":
    case "LogRolledBack":
      return { peerId: null, ...NO_DETAILS, ...event };
  }
}

/** Throws `database_failed` for a row that this program could not have written. */
export function logEntryOf(row: LogEntryRow): LogEntry {
  const { seq, atMs, effect, generation, supersededPeerId, causeSeq, openedSeq, source, claimedUser, subject, dedupeKey } = row;
  const { payloadBytes, payloadSha256, streamSequence, chainHash } = row;
  const place = { seq, atMs, effect, generation, supersededPeerId, causeSeq, openedSeq, source, claimedUser, subject, dedupeKey };
  return { ...place, event: eventOf(row), payloadBytes, payloadSha256, streamSequence, chainHash };
}

/** Returns a column that the event needs; throws `database_failed` if it is null. */
type Given = <Column extends keyof EventColumns | "streamSequence">(column: Column) => NonNullable<ReplayedRow[Column]>;

/** Throws `database_failed` for a row that this program could not have written. */
export function eventOf(row: ReplayedRow): LogEvent {
  const given: Given = (column) => {
    const value = row[column];
    if (value === null) throw invalidRow(row.seq, `is a ${row.type} without ${column}`);
    return value;
  };
  const failed = () => ({
    peerId: given("peerId"),
    protocol: given("protocol"),
    reason: given("reason") as ErrorCode,
    message: given("message"),
  });
  const { type, seq, resourceId, did, name, address } = row;
  switch (type) {
    case "PeerDesired": {
      const [peerId, relation, standing] = [given("peerId"), given("relation"), given("standing")];
      return { type, peerId, resourceId, did, name, relation, standing, address };
    }
    case "PeerRemoved":
      return { type, peerId: given("peerId"), resourceId, did };
    case "EventRejected":
      return { type, reason: given("reason") as RejectionReason, message: given("message") };
    case "StreamOpened": {
      const [peerId, protocol, direction] = [given("peerId"), given("protocol"), given("direction")];
      return { type, peerId, did, protocol, direction, attempt: row.attempt, durationMs: row.durationMs };
    }
    case "StreamClosed": {
      const [peerId, protocol, direction] = [given("peerId"), given("protocol"), given("direction")];
      const [reason, durationMs, durationClock] = [given("reason") as CloseReason, given("durationMs"), given("durationClock")];
      return { type, peerId, protocol, direction, reason, attempt: row.attempt, durationMs, durationClock };
    }
    case "OpenFailed":
      return {
        type,
        ...failed(),
        attempt: given("attempt"),
        durationMs: given("durationMs"),
        details: failureFactsIn(given("details"), seq),
      };
    case "InboundRefused":
      return { type, ...failed() };
    case "EventsSuppressed":
      return {
        type,
        peerId: row.peerId,
        reason: row.reason as SuppressionReason | null,
        durationMs: given("durationMs"),
        details: suppressedFactsIn(given("details"), seq),
      };
    case "PeerLearned":
      return { type, peerId: given("peerId"), details: learnedFactsIn(given("details"), seq) };
    case "DeliveryChanged":
    case "DeliveryGap":
    case "LogRolledBack":
    case "CloneSeen":
      return deliveryEventOf(type, row, given);
    case "LogArchived":
    case "LogReinterpreted":
    case "IdentityChanged":
    case "LogRestored":
      return upkeepEventOf(type, seq, given);
    case "DaemonStarted":
      return { type, reason: given("reason") as LastRun, details: startFactsIn(given("details"), seq) };
    case "DaemonStopped":
      return { type, durationMs: given("durationMs") };
    default:
      throw invalidRow(seq, `has the unknown type ${type satisfies never}`);
  }
}

function upkeepEventOf(
  type: "LogArchived" | "LogReinterpreted" | "IdentityChanged" | "LogRestored",
  seq: number,
  given: Given,
): LogArchived | LogReinterpreted | IdentityChanged | LogRestored {
  const details = given("details");
  switch (type) {
    case "LogArchived":
      return { type, details: archiveFactsIn(details, seq) };
    case "LogReinterpreted":
      return { type, details: reinterpretFactsIn(details, seq) };
    case "IdentityChanged":
      return { type, reason: given("reason") as IdentityChange, details: identityFactsIn(details, seq) };
    case "LogRestored":
      return { type, reason: given("reason") as RestoreSource, details: restoreFactsIn(details, seq) };
  }
}

function deliveryEventOf(
  type: DeliveryEvent["type"] | "CloneSeen",
  { seq, stream, streamCreated, streamSequence, lastStreamSequence, message }: ReplayedRow,
  given: Given,
): DeliveryEvent | CloneSeen {
  const where = () => ({
    stream: given("stream"),
    streamCreated: given("streamCreated"),
    streamSequence: given("streamSequence"),
  });
  switch (type) {
    case "DeliveryChanged":
      return { type, reason: given("reason") as DeliveryGuarantee, stream, streamCreated, streamSequence, message };
    case "DeliveryGap":
      return { type, reason: given("reason") as GapReason, ...where(), lastStreamSequence };
    case "LogRolledBack":
      return { type, reason: given("reason") as RollbackEvidence, ...where(), lastStreamSequence: given("lastStreamSequence") };
    case "CloneSeen":
      return { type, reason: given("reason") as CloneEvidence, details: cloneFactsIn(given("details"), seq) };
  }
}
