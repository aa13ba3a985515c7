/**
 * Decides what to record before reading resumes: whether this is the stream that the log followed, whether it still holds the next
 * message, and whether it was rewound and is reusing sequence numbers. Pure.
 */
import type { DeliveryChanged, DeliveryEvent, DeliveryGap, DeliveryGuarantee, GapReason } from "../../events/types.ts";
import { type Cursor, isSameStream } from "../../store/model/cursor.ts";
import { followedMessage } from "../../store/model/derived-cursor.ts";
import type { BrokerStreamState, ConsumerState } from "./broker-port.ts";

/** What the stream holds at the cursor: the message in the log, another one, or nothing that can be compared. */
export type AtCursor = "same" | "other" | "unknown";

/** Events and cursor to write in one transaction; reading resumes after `cursor`. */
export interface Alignment {
  readonly events: readonly DeliveryEvent[];
  readonly cursor: Cursor;
}

/** `before`: the delivery guarantee until now; undefined if there was none. */
export function align(
  stream: BrokerStreamState,
  cursor: Cursor | undefined,
  atCursor: AtCursor,
  before: DeliveryGuarantee | undefined,
): Alignment {
  if (cursor === undefined) return { events: [followed(stream)], cursor: startOf(stream) };
  if (!isSameStream(stream, cursor)) {
    const lostWithIt = gap(
      "recreated",
      cursor.sequence + 1,
      null,
      `stream ${cursor.stream} was made anew: what the old one held beyond sequence ${cursor.sequence} is not known to be in the log`,
    );
    const gone = stream.firstSequence > 1 ? [purged(stream, 1)] : [];
    return { events: [lostWithIt, ...gone, followed(stream)], cursor: startOf(stream) };
  }
  if (stream.lastSequence < cursor.sequence || atCursor === "other") {
    const unknown = gap(
      "reused",
      cursor.sequence + 1,
      null,
      `stream ${stream.stream} was set back and gives sequences a second time: it is read again from ${stream.firstSequence}, and what it held beyond sequence ${cursor.sequence} before is not known to be in the log`,
    );
    return { events: [unknown, followed(stream)], cursor: startOf(stream) };
  }
  const next = cursor.sequence + 1;
  const gone = stream.firstSequence > next ? [purged(stream, next)] : [];
  const reached = gone.length > 0 ? { ...cursor, sequence: stream.firstSequence - 1, messageHash: null } : cursor;
  const changed = before === "at_least_once" ? [] : [followed(stream, reached.sequence + 1)];
  return { events: [...gone, ...changed], cursor: reached };
}

/** Whether the next message that the consumer delivers is the next one that the log needs. */
export function isAtCursor(consumer: ConsumerState, { sequence }: Cursor): boolean {
  const { startSequence, delivered, unacknowledged, waitingRequests, isAsRequired } = consumer;
  const next = delivered.consumerSequence === 0 ? startSequence : delivered.streamSequence + 1;
  // A waiting request belongs to a dead connection that the broker has not noticed; it would receive the next message.
  return next === sequence + 1 && unacknowledged === 0 && waitingRequests === 0 && isAsRequired;
}

/** The gap between two consecutive deliveries: messages that the stream no longer holds. */
export function gapBetween(stream: string, lastSequence: number, nextSequence: number): DeliveryGap {
  const [first, last] = [lastSequence + 1, nextSequence - 1];
  return gap("purged", first, last, `stream ${stream} no longer holds ${sequences(first, last)}, which the log never got`);
}

function purged({ stream, firstSequence }: BrokerStreamState, first: number): DeliveryGap {
  return gapBetween(stream, first - 1, firstSequence);
}

function gap(reason: GapReason, streamSequence: number, lastStreamSequence: number | null, message: string): DeliveryGap {
  return { type: "DeliveryGap", reason, streamSequence, lastStreamSequence, message };
}

function followed(stream: BrokerStreamState, from = stream.firstSequence): DeliveryChanged {
  return { type: "DeliveryChanged", reason: "at_least_once", streamSequence: from, message: followedMessage(stream, from) };
}

function startOf({ stream, created, firstSequence }: BrokerStreamState): Cursor {
  return { stream, created, firstSequence, sequence: firstSequence - 1, messageHash: null };
}

function sequences(first: number, last: number): string {
  return first === last ? `sequence ${first}` : `sequences ${first} to ${last}`;
}
