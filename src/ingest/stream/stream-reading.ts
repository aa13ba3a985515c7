/** One stretch of reading: from a consumer at the log's cursor until the first unexpected event. */
import { hash } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import type { Cursor } from "../../store/model/cursor.ts";
import { dedupeKeyOf, messageHash } from "../../store/model/dedupe-key.ts";
import type { IngestBuffer } from "../ingest-buffer.ts";
import { gapBetween } from "./align.ts";
import type { BrokerLink, BrokerMessage } from "./broker-port.ts";
import { type DeliveryPosition, deliveryPositionOf } from "./delivery-position.ts";
import { Pull } from "./pull.ts";
import type { ReadingEnd, Restart } from "./reading-end.ts";

interface StreamReadingInit {
  readonly link: Pick<BrokerLink, "openPull" | "acknowledge" | "isClosed">;
  /** The log's cursor. */
  readonly cursor: Cursor;
  /** The consumer's next delivery has this number. */
  readonly consumerSequence: number;
  /** How many messages are under way or buffered at most. */
  readonly window: number;
  readonly buffer: Pick<IngestBuffer, "offer" | "counts">;
  readonly clock: Clock;
  /** A message came: its sequence, and how many the consumer has still to deliver. */
  readonly onProgress: (sequence: number, pending: number) => void;
  /** Once: what is buffered does not count any more. Never after disposal. */
  readonly onEnded: (end: ReadingEnd) => void;
}

export class StreamReading implements Disposable {
  readonly #init: StreamReadingInit;
  readonly #pull: Pull;
  #consumerSequence: number;
  /** The newest sequence that the log has, or will have from the buffer; lower ones are read a second time. */
  #sequence: number;
  /** The newest message that is in the log and not acknowledged yet. */
  #taken: BrokerMessage | undefined;
  #ended = false;

  constructor(init: StreamReadingInit) {
    this.#init = init;
    this.#consumerSequence = init.consumerSequence;
    this.#sequence = init.cursor.sequence;
    this.#pull = new Pull({
      link: init.link,
      clock: init.clock,
      onMessage: (message) => this.#received(message),
      onRequestOver: () => this.#pullMore(),
      onEnded: (end) => this.#end(end),
    });
    this.#pullMore();
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#pull[Symbol.dispose]();
  }

  #received(message: BrokerMessage): void {
    // The client hands on what it has read of the socket, even if we left in the middle of it.
    if (this.#ended) return;
    const unexpected = this.#take(message);
    if (unexpected !== undefined) this.#end(unexpected);
  }

  /** Why reading has to start again, if anything is not as expected. */
  #take(message: BrokerMessage): Restart | undefined {
    const position = deliveryPositionOf(message.reply);
    if (position === undefined) return { reason: "position_missing", facts: { subject: message.subject } };
    if (position.consumerSequence !== this.#consumerSequence)
      return outOfOrder(position.consumerSequence, this.#consumerSequence);
    if (!this.#offer(message, position)) return { reason: "buffer_full" };
    this.#consumerSequence += 1;
    this.#sequence = Math.max(this.#sequence, position.streamSequence);
    this.#init.onProgress(position.streamSequence, position.pending);
    return undefined;
  }

  /** Deliveries have no gap, so a gap between their sequences is one of the stream. */
  #offer(message: BrokerMessage, position: DeliveryPosition): boolean {
    const { cursor, buffer } = this.#init;
    const { streamSequence: sequence, storedAtNs } = position;
    // A copy: the client's bytes are a view that would keep the whole read of the socket in memory.
    const bytes = new Uint8Array(message.data);
    const sha256 = hash("sha256", bytes, "hex");
    const ofMessage = messageHash(storedAtNs, sha256);
    const gap = sequence > this.#sequence + 1 ? gapBetween(cursor.stream, this.#sequence, sequence) : undefined;
    return buffer.offer({
      subject: message.subject,
      bytes,
      sha256,
      dedupeKey: dedupeKeyOf(cursor, sequence, ofMessage),
      position: { stream: cursor.stream, created: cursor.created, sequence, messageHash: ofMessage },
      ...(gap && { gap }),
      acknowledge: () => this.#isTaken(message),
    });
  }

  /** Called for each message of a batch, in one go: the last of them is acknowledged, which counts for all. */
  #isTaken(message: BrokerMessage): void {
    if (this.#taken === undefined) queueMicrotask(() => this.#acknowledge());
    this.#taken = message;
  }

  #acknowledge(): void {
    const newest = this.#taken;
    this.#taken = undefined;
    const { link } = this.#init;
    // Too late for this consumer: its successor begins behind the cursor, which has moved.
    if (this.#ended || link.isClosed() || newest === undefined) return;
    link.acknowledge(newest);
    this.#pullMore();
  }

  #pullMore(): void {
    if (this.#ended || this.#pull.isPulling) return;
    const { buffer, window } = this.#init;
    const { buffered } = buffer.counts();
    if (buffered <= window / 2) this.#pull.request(window - buffered);
  }

  #end(end: ReadingEnd): void {
    if (this.#ended) return;
    this[Symbol.dispose]();
    this.#init.onEnded(end);
  }
}

function outOfOrder(delivery: number, expected: number): Restart {
  return { reason: "delivery_out_of_order", facts: { delivery, expected } };
}
