/** Brings the log in line with the broker stream before reading resumes: appends gaps and changes, and moves the cursor. */
import type { DeliveryEvent } from "../../events/delivery/delivery-events.ts";
import { type BrokerStream, type Cursor, isSameStream } from "../../store/model/cursor.ts";
import type { Store } from "../../store/store.ts";
import type { BrokerLink, BrokerStreamState, ConsumerOwner, ConsumerState } from "../broker/broker-port.ts";
import { align, type Evidence } from "./align.ts";

/** How many messages other than the one at the cursor are compared. */
const COMPARED = 4;

/** The parts of the store that alignment needs. */
export type AlignedLog = Pick<Store, "cursor" | "delivery" | "deliveries" | "knownMessages" | "appendDelivery">;

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

/** The sequence up to which our own consumer has acknowledged; null if there is none, or it is another daemon's. */
export function acknowledgedBy(consumer: ConsumerState | undefined, { peerId }: ConsumerOwner): number | null {
  return consumer?.owner?.peerId === peerId ? consumer.acknowledged : null;
}

/** Where reading continues. */
export interface Aligned {
  readonly cursor: Cursor;
  /** The newest sequence that the log had before it was rolled back; 0 if it never was. */
  readonly hadUpTo: number;
}

export function alignLog(stream: BrokerStreamState, evidence: Evidence, { log }: { readonly log: AlignedLog }): Aligned {
  const { events, cursor } = align(stream, log.cursor(), evidence, log.delivery()?.reason);
  const recorded = log.deliveries().map(({ event }) => event);
  // A daemon that crashed before it recreated the consumer finds the same evidence again.
  const news = events.filter((event) => !isRecorded(event, recorded));
  if (news.length > 0) log.appendDelivery(news, cursor, stream.lastSequence);
  return { cursor, hadUpTo: hadUpTo(stream, [...recorded, ...news]) };
}

function isRecorded(event: DeliveryEvent, recorded: readonly DeliveryEvent[]): boolean {
  const isEvidence = event.type === "LogRolledBack" || (event.type === "DeliveryGap" && event.reason === "unproven");
  if (!isEvidence) return false;
  return recorded.some(
    (other) =>
      other.type === event.type &&
      other.reason === event.reason &&
      isOf(other, event) &&
      other.lastStreamSequence === event.lastStreamSequence,
  );
}

function hadUpTo({ stream, created: streamCreated }: BrokerStream, events: readonly DeliveryEvent[]): number {
  const rollbacks = events.filter((event) => event.type === "LogRolledBack" && isOf(event, { stream, streamCreated }));
  return Math.max(0, ...rollbacks.map((event) => (event.type === "LogRolledBack" ? event.lastStreamSequence : 0)));
}

function isOf(event: DeliveryEvent, { stream, streamCreated }: Pick<DeliveryEvent, "stream" | "streamCreated">): boolean {
  return event.stream === stream && event.streamCreated === streamCreated;
}
