/** From a message that was received to its row of the log. */
import type { Desired, Rejected, Removed } from "../../events/decoded.ts";
import { resolve } from "../../events/resolve.ts";
import type { DeliveryGap, DesiredEvent, EventRejected } from "../../events/types.ts";
import type { BrokerStream, Cursor } from "../model/cursor.ts";
import type { LogEntry } from "../model/log-entry.ts";
import { storedPayload } from "../model/payload.ts";
import type { CoreMessageCount } from "../sql/statements/delivery-rows.ts";
import type { Tables } from "../sql/statements/tables.ts";
import { type Append, OBSERVED, withWellFormedText } from "./append.ts";

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
  const { source, claimedUser } = decoded;
  return append(event, { ...OBSERVED, source, claimedUser, subject, dedupeKey, payload, streamSequence });
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

/**
 * Messages that came by core NATS and are in a stream too: those that were published after the stream was made and before the daemon
 * turned to it. They have no key in the log; each row stands for one message of the same bytes.
 */
export class CoreDedupe {
  readonly #counts = new Map<string, number>();
  #untilSequence = 0;

  /** `rows`: what came by core NATS since the stream was made; up to `untilSequence` the stream may hold it too. */
  expect(rows: readonly CoreMessageCount[], untilSequence: number): void {
    this.#counts.clear();
    for (const { subject, payloadSha256, count } of rows) this.#counts.set(keyOf(subject, payloadSha256), count);
    this.#untilSequence = untilSequence;
  }

  /** Whether a row stands for this message; that row then stands for no other. */
  take(subject: string, sha256: string, streamSequence: number): boolean {
    if (streamSequence > this.#untilSequence) {
      this.#counts.clear();
      return false;
    }
    const key = keyOf(subject, sha256);
    const left = this.#counts.get(key) ?? 0;
    if (left === 0) return false;
    this.#counts.set(key, left - 1);
    return true;
  }
}

const keyOf = (subject: string, sha256: string): string => `${sha256} ${subject}`;
