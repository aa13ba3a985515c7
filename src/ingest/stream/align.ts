/**
 * Compares a broker stream with the log's cursor: is it the same stream, does it still hold the next message, was it rewound, was the
 * log rolled back? Returns what to log before reading continues. Pure.
 */
import type {
  DeliveryChanged,
  DeliveryEvent,
  DeliveryGap,
  DeliveryGuarantee,
  GapReason,
} from "../../events/delivery/delivery-events.ts";
import { type BrokerStream, type Cursor, isSameStream } from "../../store/model/cursor.ts";
import type { BrokerStreamState, ConsumerOwner, ConsumerState } from "../broker/broker-port.ts";

/** Facts about earlier readings that the broker remembers. */
export interface Evidence {
  /** The newest messages that the log knows: all that the stream holds are the same, one is another, or it holds none of them. */
  readonly known: "same" | "other" | "unknown";
  /** The sequence up to which our consumer has acknowledged; null if there is no consumer of ours. */
  readonly acknowledged: number | null;
  /** Whether a clone did that, or may have: then it does not prove that this log had those messages. */
  readonly byClone: boolean;
  /** The newest sequence of which the log has the message; gaps move the cursor beyond it. */
  readonly logged: number;
  /** The newest sequence that the log had before it was rolled back, as recorded; 0 if it never was. */
  readonly hadUpTo: number;
}

/** To be written in one transaction; reading continues after `cursor`. */
export interface Alignment {
  readonly events: readonly DeliveryEvent[];
  readonly cursor: Cursor;
}

/** `before`: the delivery guarantee until now; undefined if nothing was ever delivered. */
export function align(
  stream: BrokerStreamState,
  cursor: Cursor | undefined,
  evidence: Evidence,
  before: DeliveryGuarantee | undefined,
): Alignment {
  if (cursor === undefined) return { events: [followed(stream)], cursor: startOf(stream) };
  if (!isSameStream(stream, cursor)) {
    const lostWithIt = gap("recreated", cursor, cursor.sequence + 1, null);
    const gone = stream.firstSequence > 1 ? [gapBetween(stream, 0, stream.firstSequence)] : [];
    return { events: [lostWithIt, ...gone, followed(stream)], cursor: startOf(stream) };
  }
  if (isBehind(stream, cursor) || evidence.known === "other") {
    const unknown = gap("reused", stream, cursor.sequence + 1, null);
    return { events: [unknown, followed(stream)], cursor: startOf(stream) };
  }
  return resumed(stream, cursor, evidence, before);
}

/** The stream's newest sequence is below the cursor: it was rewound, unless the broker's answer is out of date. */
export function isBehind(stream: BrokerStreamState, cursor: Cursor): boolean {
  return isSameStream(stream, cursor) && stream.lastSequence < cursor.sequence;
}

/** Continues with the next message, or with the first one that is left. */
function resumed(
  stream: BrokerStreamState,
  cursor: Cursor,
  evidence: Evidence,
  before: DeliveryGuarantee | undefined,
): Alignment {
  const next = cursor.sequence + 1;
  const acknowledged = provenBy(evidence, stream);
  const hadUpTo = Math.max(acknowledged, evidence.hadUpTo);
  const gone = stream.firstSequence > next ? gapsBetween(stream, cursor.sequence, stream.firstSequence, hadUpTo) : [];
  const reached = gone.length > 0 ? { ...cursor, sequence: stream.firstSequence - 1, messageHash: null } : cursor;
  const rolledBack = acknowledged > cursor.sequence ? [rollback(stream, next, acknowledged)] : [];
  const changed = before === guaranteeOf(stream) ? [] : [followed(stream, reached.sequence + 1)];
  return { events: [...rolledBack, ...unproven(cursor, evidence), ...gone, ...changed], cursor: reached };
}

/** The newest sequence that this log must once have had. A purge moves nats-server's consumer too, as if it had acknowledged. */
function provenBy({ acknowledged, byClone }: Evidence, { firstSequence }: BrokerStreamState): number {
  return acknowledged === null || byClone || acknowledged < firstSequence ? 0 : acknowledged;
}

/**
 * A stream that was rewound, and has grown past the cursor since, has reused sequences that the log takes for logged. Its consumer
 * was rewound with it, so one that has acknowledged everything that is logged proves that this has not happened.
 */
function unproven(cursor: Cursor, { known, acknowledged, logged }: Evidence): readonly DeliveryGap[] {
  const first = Math.max(acknowledged ?? 0, cursor.firstSequence - 1) + 1;
  return known === "unknown" && first <= logged ? [gap("unproven", cursor, first, logged)] : [];
}

/**
 * The first sequence to read. A consumer of ours that has acknowledged less than the cursor says is believed: a crash before the last
 * acknowledgements is the usual reason, and a cursor that was moved forward is the other. The log drops those that it has.
 */
export function firstToRead(
  stream: BrokerStreamState,
  cursor: Cursor,
  consumer: Pick<ConsumerState, "owner" | "acknowledged"> | undefined,
  { peerId }: ConsumerOwner,
): number {
  const reached = consumer?.owner?.peerId === peerId ? consumer.acknowledged : cursor.sequence;
  return Math.max(stream.firstSequence, Math.min(cursor.sequence, reached) + 1);
}

/**
 * True if the consumer has an acknowledgement of what it has not delivered: another daemon's, for an earlier consumer of that name.
 */
export function isMoved({
  acknowledged,
  delivered,
  startSequence,
}: Pick<ConsumerState, "acknowledged" | "delivered" | "startSequence">): boolean {
  return acknowledged > Math.max(delivered.streamSequence, startSequence - 1);
}

/** True if the consumer is `owner`'s, and its next delivery is the one that the log needs next. */
export function isAtCursor(consumer: ConsumerState, { sequence }: Cursor, owner: ConsumerOwner): boolean {
  const { startSequence, delivered, unacknowledged, waitingRequests, isAsRequired } = consumer;
  const next = delivered.consumerSequence === 0 ? startSequence : delivered.streamSequence + 1;
  const isOurs = consumer.owner?.peerId === owner.peerId && consumer.owner.run === owner.run;
  // A waiting request belongs to a dead connection that the broker has not noticed; it would swallow the next delivery.
  return isOurs && next === sequence + 1 && unacknowledged === 0 && waitingRequests === 0 && isAsRequired;
}

/** The messages between two sequences, which the stream no longer holds. The log had those up to `hadUpTo` before its rollback. */
export function gapsBetween(
  stream: BrokerStream,
  lastSequence: number,
  nextSequence: number,
  hadUpTo: number,
): readonly DeliveryGap[] {
  const lastLogged = Math.min(hadUpTo, nextSequence - 1);
  if (lastLogged <= lastSequence) return [gapBetween(stream, lastSequence, nextSequence)];
  const had = gap("rolled_back", stream, lastSequence + 1, lastLogged);
  return lastLogged === nextSequence - 1 ? [had] : [had, gapBetween(stream, lastLogged, nextSequence)];
}

function gapBetween(stream: BrokerStream, lastSequence: number, nextSequence: number): DeliveryGap {
  return gap("purged", stream, lastSequence + 1, nextSequence - 1);
}

function gap(reason: GapReason, of: BrokerStream, streamSequence: number, lastStreamSequence: number | null): DeliveryGap {
  const { stream, created: streamCreated } = of;
  return { type: "DeliveryGap", reason, stream, streamCreated, streamSequence, lastStreamSequence };
}

function rollback({ stream, created }: BrokerStream, streamSequence: number, lastStreamSequence: number): DeliveryEvent {
  return { type: "LogRolledBack", reason: "acknowledged", stream, streamCreated: created, streamSequence, lastStreamSequence };
}

function followed(found: BrokerStreamState, from = found.firstSequence): DeliveryChanged {
  const followedStream = { stream: found.stream, streamCreated: found.created, streamSequence: from };
  return { type: "DeliveryChanged", reason: guaranteeOf(found), ...followedStream, message: whyNotCaptured(found) };
}

function guaranteeOf(found: BrokerStreamState): DeliveryGuarantee {
  return whyNotCaptured(found) === null ? "at_least_once" : "not_captured";
}

function whyNotCaptured({ uncaptured, refusal }: BrokerStreamState): string | null {
  if (refusal !== undefined) return `it is ${refusal}`;
  return uncaptured.length === 0 ? null : `${uncaptured.join(", ")} not captured`;
}

function startOf({ stream, created, firstSequence }: BrokerStreamState): Cursor {
  return { stream, created, firstSequence, sequence: firstSequence - 1, messageHash: null };
}
