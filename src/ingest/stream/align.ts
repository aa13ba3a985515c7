/**
 * What the log has to say before a stream is read on: is it the stream that the log followed, does it still hold what comes next, did it
 * give sequences away twice? Pure.
 */
import type { DeliveryChanged, DeliveryEvent, DeliveryGap, DeliveryGuarantee, GapReason } from "../../events/types.ts";
import { type Cursor, isSameStream } from "../../store/model/cursor.ts";
import { followedMessage } from "../../store/model/derived-cursor.ts";
import type { BrokerStreamState, ConsumerState } from "./broker-port.ts";

/** What the stream holds at the cursor: the message that the log knows, another one, or nothing to compare. */
export type AtCursor = "same" | "other" | "unknown";

/** To be written in one transaction; `cursor` is where to read on. */
export interface Alignment {
  readonly events: readonly DeliveryEvent[];
  readonly cursor: Cursor;
}

/** `before`: how messages came until now; undefined where none ever did. */
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

/** Whether the consumer delivers next what the log needs next. */
export function isAtCursor(consumer: ConsumerState, { sequence }: Cursor): boolean {
  const { startSequence, delivered, unacknowledged, waitingRequests, isAsRequired } = consumer;
  const next = delivered.consumerSequence === 0 ? startSequence : delivered.streamSequence + 1;
  // A request that waits already is of a connection that only the broker believes in, and would get what comes next.
  return next === sequence + 1 && unacknowledged === 0 && waitingRequests === 0 && isAsRequired;
}

/** Messages between two that came one after the other: the stream does not hold them any more. */
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
