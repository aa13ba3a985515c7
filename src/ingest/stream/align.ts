/**
 * Compares a broker stream with the log's cursor: is it the same stream, does it still hold the next message, was it rewound? Returns
 * what to log before reading continues. Pure.
 */
import type { DeliveryChanged, DeliveryEvent, DeliveryGap, DeliveryGuarantee, GapReason } from "../../events/types.ts";
import { type BrokerStream, type Cursor, isSameStream } from "../../store/model/cursor.ts";
import type { BrokerStreamState, ConsumerState } from "./broker-port.ts";

/** The message at the cursor: the one that the log knows, another one, or nothing to compare. */
export type AtCursor = "same" | "other" | "unknown";

/** To be written in one transaction; reading continues after `cursor`. */
export interface Alignment {
  readonly events: readonly DeliveryEvent[];
  readonly cursor: Cursor;
}

/** `before`: the delivery guarantee until now; undefined if nothing was ever delivered. */
export function align(
  stream: BrokerStreamState,
  cursor: Cursor | undefined,
  atCursor: AtCursor,
  before: DeliveryGuarantee | undefined,
): Alignment {
  if (cursor === undefined) return { events: [followed(stream)], cursor: startOf(stream) };
  if (!isSameStream(stream, cursor)) {
    const lostWithIt = gap("recreated", cursor, cursor.sequence + 1, null);
    const gone = stream.firstSequence > 1 ? [purged(stream, 1)] : [];
    return { events: [lostWithIt, ...gone, followed(stream)], cursor: startOf(stream) };
  }
  if (stream.lastSequence < cursor.sequence || atCursor === "other") {
    const unknown = gap("reused", stream, cursor.sequence + 1, null);
    return { events: [unknown, followed(stream)], cursor: startOf(stream) };
  }
  const next = cursor.sequence + 1;
  const gone = stream.firstSequence > next ? [purged(stream, next)] : [];
  const reached = gone.length > 0 ? { ...cursor, sequence: stream.firstSequence - 1, messageHash: null } : cursor;
  const changed = before === "at_least_once" ? [] : [followed(stream, reached.sequence + 1)];
  return { events: [...gone, ...changed], cursor: reached };
}

/** True if the consumer's next delivery is the one the log needs next. */
export function isAtCursor(consumer: ConsumerState, { sequence }: Cursor): boolean {
  const { startSequence, delivered, unacknowledged, waitingRequests, isAsRequired } = consumer;
  const next = delivered.consumerSequence === 0 ? startSequence : delivered.streamSequence + 1;
  // A waiting request belongs to a dead connection that the broker has not noticed; it would swallow the next delivery.
  return next === sequence + 1 && unacknowledged === 0 && waitingRequests === 0 && isAsRequired;
}

/** The messages between two consecutive deliveries: the stream no longer holds them. */
export function gapBetween(stream: BrokerStream, lastSequence: number, nextSequence: number): DeliveryGap {
  return gap("purged", stream, lastSequence + 1, nextSequence - 1);
}

function purged(stream: BrokerStreamState, first: number): DeliveryGap {
  return gapBetween(stream, first - 1, stream.firstSequence);
}

function gap(reason: GapReason, of: BrokerStream, streamSequence: number, lastStreamSequence: number | null): DeliveryGap {
  const { stream, created: streamCreated } = of;
  return { type: "DeliveryGap", reason, stream, streamCreated, streamSequence, lastStreamSequence };
}

function followed({ stream, created, firstSequence }: BrokerStreamState, from = firstSequence): DeliveryChanged {
  const followedStream = { stream, streamCreated: created, streamSequence: from };
  return { type: "DeliveryChanged", reason: "at_least_once", ...followedStream, message: null };
}

function startOf({ stream, created, firstSequence }: BrokerStreamState): Cursor {
  return { stream, created, firstSequence, sequence: firstSequence - 1, messageHash: null };
}
