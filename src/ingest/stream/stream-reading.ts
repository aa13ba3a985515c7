/** One stretch of reading: from a consumer at the log's cursor until the first unexpected event. */
import { hash } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { PartnerdError, toPartnerdError } from "../../base/errors.ts";
import type { Cursor } from "../../store/model/cursor.ts";
import { dedupeKeyOf, messageHash } from "../../store/model/dedupe-key.ts";
import type { BrokerLink, BrokerMessage } from "../broker/broker-port.ts";
import { type DeliveryPosition, deliveryPositionOf } from "../broker/delivery-position.ts";
import type { IngestBuffer } from "../ingest-buffer.ts";
import { gapsBetween } from "./align.ts";
import { Pull } from "./pull.ts";
import type { ReadingEnd, Restart } from "./reading-end.ts";

interface StreamReadingInit {
  readonly link: Pick<BrokerLink, "openPull" | "acknowledge" | "isClosed" | "firstHeld">;
  /** The log's cursor. */
  readonly cursor: Cursor;
  /** The newest sequence that the log had before it was rolled back; 0 if it never was. */
  readonly hadUpTo: number;
  /** The number of the consumer's next delivery. */
  readonly consumerSequence: number;
  /** The first sequence that it delivers, if the stream holds it. */
  readonly start: number;
  /** Most messages requested and buffered together. */
  readonly window: number;
  readonly buffer: Pick<IngestBuffer, "offer" | "counts">;
  readonly clock: Clock;
  /** Called for each message that is buffered: how many the consumer has yet to deliver. */
  readonly onProgress: (pending: number) => void;
  /** Called for each message once its batch is in the log: its sequence, and how many were yet to be delivered after it. */
  readonly onLogged: (sequence: number, pending: number) => void;
  /** Called once, never after disposal. Buffered messages are void from then on. */
  readonly onEnded: (end: ReadingEnd) => void;
}

interface Delivery {
  readonly message: BrokerMessage;
  readonly position: DeliveryPosition;
  /** The sequence after that of the delivery before it. */
  readonly next: number;
  /** The stream holds nothing from `next` to it. */
  isProven: boolean;
}

/** Of deliveries that wait for a proof. Nothing more is requested while any wait, so one request's messages are the most. */
const MAX_HELD_BYTES = 16 * 1_048_576;

export class StreamReading implements Disposable {
  readonly #init: StreamReadingInit;
  readonly #pull: Pull;
  /** The number of the next delivery, and the sequence of the newest. */
  #consumerSequence: number;
  #delivered: number;
  /** The newest sequence logged or buffered; lower ones are being reread. */
  #sequence: number;
  /** The newest logged message that is not acknowledged yet. */
  #taken: { readonly message: BrokerMessage; readonly sequence: number } | undefined;
  #acknowledged = 0;
  /** In order; the first one is unproven. */
  readonly #held: Delivery[] = [];
  #heldBytes = 0;
  #ended = false;

  constructor(init: StreamReadingInit) {
    this.#init = init;
    this.#consumerSequence = init.consumerSequence;
    this.#delivered = init.start - 1;
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

  /** The newest sequence of which an acknowledgement has been sent; 0 if none has. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#pull[Symbol.dispose]();
  }

  #received(message: BrokerMessage): void {
    // The client delivers everything it has read from the socket, even after we have unsubscribed.
    if (this.#ended) return;
    const delivery = this.#numbered(message);
    if ("reason" in delivery) this.#end(delivery);
    else if (delivery.isProven && this.#held.length === 0) this.#take(delivery);
    else this.#hold(delivery);
  }

  /** Why reading has to start again if this is not the next delivery. */
  #numbered(message: BrokerMessage): Delivery | Restart {
    const position = deliveryPositionOf(message.reply);
    if (position === undefined) return { reason: "position_missing", facts: { subject: message.subject } };
    const { consumerSequence, streamSequence } = position;
    if (consumerSequence !== this.#consumerSequence) return outOfOrder(consumerSequence, this.#consumerSequence);
    const next = this.#delivered + 1;
    this.#consumerSequence += 1;
    this.#delivered = streamSequence;
    return { message, position, next, isProven: streamSequence <= next };
  }

  #hold(delivery: Delivery): void {
    this.#held.push(delivery);
    this.#heldBytes += delivery.message.data.length;
    if (this.#heldBytes > MAX_HELD_BYTES) this.#end({ reason: "buffer_full" });
    else if (!delivery.isProven) void this.#prove(delivery);
  }

  /**
   * A consumer that was moved skips messages that the stream holds; a gap in the stream has none. The late acknowledgement of another
   * daemon with our consumer moves it, perhaps before we know of that daemon, and the numbers of the deliveries stay gapless.
   */
  async #prove(delivery: Delivery): Promise<void> {
    const { next, position } = delivery;
    const last = position.streamSequence - 1;
    const found = await this.#init.link.firstHeld(next).catch(toPartnerdError);
    if (found instanceof PartnerdError) this.#end(found);
    else if (found === undefined) this.#end({ reason: "gap_unconfirmed", facts: { first: next, last } });
    else if (found <= last) this.#end({ reason: "consumer_moved", facts: { first: found, last } });
    else {
      delivery.isProven = true;
      this.#release();
    }
  }

  /** Takes the held deliveries up to the next unproven one. */
  #release(): void {
    const unproven = this.#held.findIndex(({ isProven }) => !isProven);
    const proven = this.#held.splice(0, unproven === -1 ? this.#held.length : unproven);
    for (const delivery of proven) {
      if (this.#ended) return;
      this.#heldBytes -= delivery.message.data.length;
      this.#take(delivery);
    }
    this.#pullMore();
  }

  #take({ message, position }: Delivery): void {
    if (!this.#offer(message, position)) {
      this.#end({ reason: "buffer_full" });
      return;
    }
    this.#sequence = Math.max(this.#sequence, position.streamSequence);
    this.#init.onProgress(position.pending);
  }

  /** A gap between the sequences of two deliveries is a gap in the stream: we have asked. */
  #offer(message: BrokerMessage, position: DeliveryPosition): boolean {
    const { cursor, buffer, hadUpTo } = this.#init;
    const { streamSequence: sequence, storedAtNs } = position;
    // A copy: the client's bytes are a view that keeps a whole socket read in memory.
    const bytes = new Uint8Array(message.data);
    const sha256 = hash("sha256", bytes, "hex");
    const ofMessage = messageHash(storedAtNs, sha256);
    const gaps = sequence > this.#sequence + 1 ? gapsBetween(cursor, this.#sequence, sequence, hadUpTo) : undefined;
    return buffer.offer({
      subject: message.subject,
      bytes,
      sha256,
      dedupeKey: dedupeKeyOf(cursor, sequence, ofMessage),
      position: { stream: cursor.stream, created: cursor.created, sequence, messageHash: ofMessage },
      ...(gaps && { gaps }),
      acknowledge: () => this.#isTaken(message, position),
    });
  }

  /** Called synchronously for each message of a batch; only the last is acknowledged, which covers all. */
  #isTaken(message: BrokerMessage, { streamSequence, pending }: DeliveryPosition): void {
    this.#init.onLogged(streamSequence, pending);
    if (this.#taken === undefined) queueMicrotask(() => this.#acknowledge());
    this.#taken = { message, sequence: streamSequence };
  }

  #acknowledge(): void {
    const newest = this.#taken;
    this.#taken = undefined;
    const { link } = this.#init;
    // Too late for this consumer: its successor delivers these messages again, and the log drops them.
    if (this.#ended || link.isClosed() || newest === undefined) return;
    link.acknowledge(newest.message);
    this.#acknowledged = Math.max(this.#acknowledged, newest.sequence);
    this.#pullMore();
  }

  #pullMore(): void {
    if (this.#ended || this.#pull.isPulling || this.#held.length > 0) return;
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
