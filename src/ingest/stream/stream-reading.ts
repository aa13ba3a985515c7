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
  readonly link: Pick<BrokerLink, "openPull" | "acknowledge" | "isClosed" | "hashAt">;
  /** The log's cursor. */
  readonly cursor: Cursor;
  /** The newest sequence that the log had before it was rolled back; 0 if it never was. */
  readonly hadUpTo: number;
  /** The number of the consumer's next delivery. */
  readonly consumerSequence: number;
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

export class StreamReading implements Disposable {
  readonly #init: StreamReadingInit;
  readonly #pull: Pull;
  #consumerSequence: number;
  /** The newest sequence logged or buffered; lower ones are being reread. */
  #sequence: number;
  /** The newest logged message that is not acknowledged yet. */
  #taken: BrokerMessage | undefined;
  /** Messages that wait until the broker has said whether those before them exist. No more than were requested. */
  #held: BrokerMessage[] | undefined;
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
    // The client delivers everything it has read from the socket, even after we have unsubscribed.
    if (this.#ended) return;
    if (this.#held !== undefined) {
      this.#held.push(message);
      return;
    }
    const skipped = this.#skippedBefore(message);
    if (skipped !== undefined) {
      this.#held = [message];
      void this.#askFor(skipped);
      return;
    }
    this.#takeOrEnd(message);
  }

  #takeOrEnd(message: BrokerMessage): void {
    const unexpected = this.#take(message);
    if (unexpected !== undefined) this.#end(unexpected);
  }

  /** The first and the last sequence that the consumer skipped, if any, before the delivery that is expected next. */
  #skippedBefore({ reply }: BrokerMessage): readonly [number, number] | undefined {
    const { consumerSequence, streamSequence } = deliveryPositionOf(reply) ?? { consumerSequence: 0, streamSequence: 0 };
    const isSkipping = consumerSequence === this.#consumerSequence && streamSequence > this.#sequence + 1;
    return isSkipping ? [this.#sequence + 1, streamSequence - 1] : undefined;
  }

  /**
   * A consumer that was moved skips messages that the stream holds; a gap in the stream has none. The late acknowledgement of another
   * daemon with our consumer moves it, perhaps before we know of that daemon, and the numbers of the deliveries stay gapless.
   */
  async #askFor(skipped: readonly [number, number]): Promise<void> {
    const hashes = await Promise.all(skipped.map((sequence) => this.#init.link.hashAt(sequence))).catch(toPartnerdError);
    if (hashes instanceof PartnerdError) {
      this.#end(hashes);
    } else if (hashes.some((found) => found !== undefined)) {
      this.#end({ reason: "consumer_moved", facts: { first: skipped[0], last: skipped[1] } });
    } else {
      this.#release();
    }
  }

  /** Takes the first held message, whose gap is proven, and receives the others. */
  #release(): void {
    const [first, ...others] = this.#held ?? [];
    this.#held = undefined;
    if (this.#ended || first === undefined) return;
    this.#takeOrEnd(first);
    for (const other of others) this.#received(other);
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
    this.#init.onProgress(position.pending);
    return undefined;
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
    this.#taken = message;
  }

  #acknowledge(): void {
    const newest = this.#taken;
    this.#taken = undefined;
    const { link } = this.#init;
    // Too late for this consumer: its successor starts after the cursor, which has moved.
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
