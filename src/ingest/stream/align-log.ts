/** Brings the log in line with the broker stream before reading resumes: appends gaps and changes, and moves the cursor. */
import { isDeepStrictEqual } from "node:util";
import type { DeliveryEvent, DeliveryGap } from "../../events/delivery/delivery-events.ts";
import { type BrokerStream, type Cursor, isSameStream } from "../../store/model/cursor.ts";
import type { Store } from "../../store/store.ts";
import type { BrokerLink, BrokerStreamState, ConsumerOwner, ConsumerState } from "../broker/broker-port.ts";
import { align, type Evidence, isMoved } from "./align.ts";

/** How many messages other than the one at the cursor are compared. */
const COMPARED = 4;

/** The parts of the store that alignment needs. */
export type AlignedLog = Pick<Store, "cursor" | "delivery" | "deliveries" | "contestedRuns" | "knownMessages" | "appendDelivery">;

/** Compares messages that the log knows with those that the stream holds now. */
export async function compareKnown(
  link: Pick<BrokerLink, "hashAt">,
  stream: BrokerStreamState,
  log: Pick<AlignedLog, "cursor" | "knownMessages">,
): Promise<Evidence["known"]> {
  const cursor = log.cursor();
  if (cursor === undefined || !isSameStream(stream, cursor)) return "unknown";
  const isHeld = (sequence: number) => sequence >= stream.firstSequence && sequence <= stream.lastSequence;
  const found = isHeld(cursor.sequence) ? await link.hashAt(cursor.sequence) : undefined;
  // The stream held nothing at the cursor when the log began to follow it, so a message there now was stored after a rewind.
  if (found !== undefined && cursor.messageHash === null && cursor.sequence < cursor.firstSequence) return "other";
  if (found !== undefined && cursor.messageHash !== null) return found === cursor.messageHash ? "same" : "other";
  const older = log.knownMessages(cursor, cursor.sequence - 1, COMPARED).filter(({ sequence }) => isHeld(sequence));
  const compared = await Promise.all(
    older.map(async ({ sequence, messageHash }) => {
      const held = await link.hashAt(sequence);
      return held === undefined ? "unknown" : held === messageHash ? "same" : "other";
    }),
  );
  if (compared.includes("other")) return "other";
  return compared.includes("same") ? "same" : "unknown";
}

/** Where reading continues. */
export interface Aligned {
  readonly cursor: Cursor;
  /** The newest sequence that the log had before it was rolled back; 0 if it never was. */
  readonly hadUpTo: number;
}

/** The consumer as it was found, if there is one. */
export interface FoundConsumer {
  readonly consumer: Pick<ConsumerState, "owner" | "acknowledged" | "startSequence" | "delivered"> | undefined;
  /** Whether another daemon has taken it from us. */
  readonly isTaken: boolean;
}

export function alignLog(
  stream: BrokerStreamState,
  known: Evidence["known"],
  found: FoundConsumer,
  { log, owner }: { readonly log: AlignedLog; readonly owner: ConsumerOwner },
): Aligned {
  const recorded = log.deliveries().map(({ event }) => event);
  const before = log.cursor();
  const acknowledged = isJustRewound(before, recorded) ? NOT_ACKNOWLEDGED : acknowledgedBy(found, owner, log);
  const evidence = { known, ...acknowledged, logged: loggedUpTo(before, recorded), hadUpTo: hadUpTo(stream, recorded) };
  const { events, cursor } = align(stream, before, evidence, log.delivery()?.reason);
  // A daemon that crashed before it recreated the consumer finds the same evidence again.
  const news = events.filter((event) => before === undefined || !isRecorded(event, before, recorded));
  if (news.length > 0) log.appendDelivery(news, cursor, stream.lastSequence);
  return { cursor, hadUpTo: hadUpTo(stream, [...recorded, ...news]) };
}

const NOT_ACKNOWLEDGED = { acknowledged: null, byClone: false } as const;

/** Whether the log recorded a rewind and nothing since: after a crash, the consumer may still be the one from before. */
function isJustRewound(cursor: Cursor | undefined, recorded: readonly DeliveryEvent[]): boolean {
  if (cursor === undefined || cursor.sequence >= cursor.firstSequence) return false;
  const last = recorded.findLast(
    (event) => event.type !== "DeliveryChanged" && isOf(event, { ...cursor, streamCreated: cursor.created }),
  );
  return last?.reason === "reused";
}

/** The sequence up to which our own consumer has acknowledged; null if there is none, or it is another daemon's. */
function acknowledgedBy(
  { consumer, isTaken }: FoundConsumer,
  { peerId, run }: ConsumerOwner,
  log: AlignedLog,
): Pick<Evidence, "acknowledged" | "byClone"> {
  if (consumer?.owner?.peerId !== peerId) return NOT_ACKNOWLEDGED;
  const { owner, acknowledged } = consumer;
  // An acknowledgement names the consumer but not its creation: a clone's may arrive after we have recreated the consumer. This run
  // acknowledges only what is in the log, and none acknowledges what the consumer has not delivered.
  const isAnothers = owner.run === run || isMoved(consumer);
  return { acknowledged, byClone: isTaken || isAnothers || log.contestedRuns().includes(owner.run) };
}

/** The newest sequence of which the log has the message: the one before the gaps that have led to the cursor. */
function loggedUpTo(cursor: Cursor | undefined, recorded: readonly DeliveryEvent[]): number {
  if (cursor === undefined || cursor.messageHash !== null) return cursor?.sequence ?? 0;
  const gaps = recorded.filter(
    (event): event is DeliveryGap => event.type === "DeliveryGap" && isOf(event, { ...cursor, streamCreated: cursor.created }),
  );
  return gaps.reduceRight(
    (reached, { reason, streamSequence, lastStreamSequence }) =>
      reason !== "unproven" && lastStreamSequence === reached ? streamSequence - 1 : reached,
    cursor.sequence,
  );
}

/** Whether an earlier start recorded this evidence, and crashed before it could read on: the cursor is still where it left it. */
function isRecorded(event: DeliveryEvent, { sequence }: Cursor, recorded: readonly DeliveryEvent[]): boolean {
  return recorded.some((other, index) => {
    if (!isOf(other, event)) return false;
    if (event.type === "LogRolledBack" && other.type === "LogRolledBack")
      return (
        other.lastStreamSequence === event.lastStreamSequence &&
        sequence === reachedBy(other.streamSequence - 1, recorded.slice(index + 1))
      );
    // It ends with the newest logged message, so one that was recorded before another message was read ends elsewhere.
    return [event, other].every(({ reason }) => reason === "unproven") && isDeepStrictEqual(event, other);
  });
}

/** The cursor after these events, if no message was read: gaps move it. */
function reachedBy(sequence: number, events: readonly DeliveryEvent[]): number {
  return events.reduce(
    (reached, event) =>
      event.type === "DeliveryGap" && event.streamSequence === reached + 1 ? (event.lastStreamSequence ?? reached) : reached,
    sequence,
  );
}

/** A stream that was rewound since has other messages at those sequences. */
function hadUpTo({ stream, created: streamCreated }: BrokerStream, events: readonly DeliveryEvent[]): number {
  const ofStream = events.filter((event) => isOf(event, { stream, streamCreated }));
  const rewound = ofStream.findLastIndex(({ reason }) => reason === "reused");
  const rollbacks = ofStream.slice(rewound + 1).filter((event) => event.type === "LogRolledBack");
  return Math.max(0, ...rollbacks.map(({ lastStreamSequence }) => lastStreamSequence));
}

function isOf(event: DeliveryEvent, { stream, streamCreated }: Pick<DeliveryEvent, "stream" | "streamCreated">): boolean {
  return event.stream === stream && event.streamCreated === streamCreated;
}
