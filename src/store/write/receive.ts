/** Turns a received message into a row of the log. */
import type { Desired, Rejected, Removed } from "../../events/decoded.ts";
import type { DeliveryGap } from "../../events/delivery/delivery-events.ts";
import { resolve } from "../../events/resolve.ts";
import type { EventRejected } from "../../events/types.ts";
import { withWellFormedText } from "../../events/well-formed.ts";
import type { Cursor } from "../model/cursor.ts";
import type { LogEntry } from "../model/log-entry.ts";
import { storedPayload } from "../model/payload.ts";
import type { CoreMessageCount } from "../sql/statements/delivery-rows.ts";
import type { Tables } from "../sql/statements/tables.ts";
import { type Append, OBSERVED } from "./append.ts";

/** A received and decoded message. */
export interface Received {
  readonly decoded: Desired | Removed | Rejected;
  readonly subject: string;
  /** The whole message, as received. */
  readonly payload: Uint8Array;
  /** SHA-256 (hex) of the payload, if already computed. */
  readonly sha256?: string | undefined;
  /** Identifies a redelivery; null if the transport never redelivers. */
  readonly dedupeKey: string | null;
  /** Its sequence in the broker stream, if it came from one. */
  readonly streamSequence?: number | undefined;
}

/** An item of a batch, in stream order. */
export type IngestItem = Received | DeliveryGap;

interface Receiving {
  readonly rows: Tables;
  readonly append: Append;
  readonly coreDedupe: CoreDedupe;
}

/**
 * Call only within a write transaction. `cursor`: the log's cursor, if the message is from the stream that the log follows;
 * `isNew`: the log cannot have the message.
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
  const newer = isLate && "type" in resolved ? rows.newerInStream(resolved, cursor, streamSequence) : undefined;
  const event = newer !== undefined ? outdated(streamSequence, newer) : "kind" in resolved ? rejection(resolved) : resolved;
  const causeSeq = newer?.seq ?? null;
  const { source, claimedUser } = decoded;
  return append(event, { ...OBSERVED, causeSeq, source, claimedUser, subject, dedupeKey, payload, streamSequence });
}

/**
 * A message that arrives after later ones, for example when a resync finds one that the log lacks, must not undo them: it is
 * logged, but takes effect only if the log has nothing newer about its peer and resource.
 */
function outdated(
  streamSequence: number | null,
  newer: { readonly seq: number; readonly streamSequence: number },
): EventRejected {
  const message = `stream sequence ${streamSequence} arrived after ${newer.streamSequence} (seq ${newer.seq}), which is newer for this peer`;
  return { type: "EventRejected", reason: "outdated", message };
}

function rejection({ reason, message }: Rejected): EventRejected {
  return { type: "EventRejected", reason, message };
}

/**
 * Recognizes messages in a stream that were already received by core NATS: those published between the creation of the stream and the
 * moment when the daemon began to follow it. Their rows have no dedupe key, so each row matches one message with the same bytes.
 */
export class CoreDedupe {
  readonly #counts = new Map<string, number>();
  #untilSequence = 0;

  /** `rows`: messages received by core NATS since the stream was created, which it may hold up to `untilSequence`. */
  expect(rows: readonly CoreMessageCount[], untilSequence: number): void {
    this.#counts.clear();
    for (const { subject, payloadSha256, count } of rows) this.#counts.set(keyOf(subject, payloadSha256), count);
    this.#untilSequence = untilSequence;
  }

  /** True if a row matches this message. Each row matches only once. */
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
