/** From a message that was received to its row of the log. */
import type { Desired, Rejected, Removed } from "../../events/decoded.ts";
import { resolve } from "../../events/resolve.ts";
import type { DeliveryGap, DesiredEvent, EventRejected } from "../../events/types.ts";
import type { BrokerStream, Cursor } from "../model/cursor.ts";
import type { LogEntry } from "../model/log-entry.ts";
import { storedPayload } from "../model/payload.ts";
import type { Tables } from "../sql/statements/tables.ts";
import { type Append, OBSERVED, withWellFormedText } from "./append.ts";
import type { CoreDedupe } from "./core-dedupe.ts";

/** A message that was received and decoded. */
export interface Received {
  readonly decoded: Desired | Removed | Rejected;
  readonly subject: string;
  /** The whole message, as received. */
  readonly payload: Uint8Array;
  /** SHA-256 (hex) of the payload, where somebody had to know it already. */
  readonly sha256?: string | undefined;
  /** What makes its redelivery recognisable; null where the transport never redelivers. */
  readonly dedupeKey: string | null;
  /** Its place in the broker's stream, where it came from one. */
  readonly streamSequence?: number | undefined;
}

/** What a batch brings, in the order of the stream. */
export type IngestItem = Received | DeliveryGap;

interface Receiving {
  readonly rows: Tables;
  readonly append: Append;
  readonly coreDedupe: CoreDedupe;
}

/**
 * Only ever called within a write transaction. `cursor` is where the log stands, if the message is of the stream that it stands in;
 * `isNew`: the log cannot have it.
 */
export function receive(
  { rows, append, coreDedupe }: Receiving,
  cursor: Cursor | undefined,
  isNew: boolean,
  received: Received,
): LogEntry | "duplicate" {
  const { subject, dedupeKey } = withWellFormedText({ subject: received.subject, dedupeKey: received.dedupeKey });
  const streamSequence = received.streamSequence ?? null;
  if (dedupeKey !== null && !isNew && rows.holds(dedupeKey, streamSequence)) return "duplicate";
  const payload = storedPayload(received.payload, received.sha256);
  if (streamSequence !== null && coreDedupe.take(subject, payload.payloadSha256, streamSequence)) return "duplicate";
  const decoded = withWellFormedText(received.decoded);
  const resolved = decoded.kind === "rejected" ? decoded : resolve(decoded, rows.lastPeerOfResource);
  const isLate = cursor !== undefined && streamSequence !== null && streamSequence <= cursor.sequence;
  const accepted = isLate && "type" in resolved ? unlessOutdated(rows, resolved, cursor, streamSequence) : resolved;
  const event = "kind" in accepted ? rejection(accepted) : accepted;
  return append(event, { ...OBSERVED, source: decoded.source, subject, dedupeKey, payload, streamSequence });
}

/**
 * A message that comes after later ones (a resync finds one that the log lacks) must not undo what those have said: it is kept, and
 * takes effect only where the log has nothing newer of its peer and its resource.
 */
function unlessOutdated(
  rows: Tables,
  event: DesiredEvent,
  stream: BrokerStream,
  streamSequence: number,
): DesiredEvent | EventRejected {
  const newer = rows.newerInStream(event, stream, streamSequence);
  if (newer === undefined) return event;
  const message = `stream sequence ${streamSequence} came after ${newer.streamSequence} (seq ${newer.seq}), which says something newer of this peer`;
  return { type: "EventRejected", reason: "outdated", message };
}

function rejection({ reason, message }: Rejected): EventRejected {
  return { type: "EventRejected", reason, message };
}
