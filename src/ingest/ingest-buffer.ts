/** A bounded buffer that delivers messages in batches, so a burst neither blocks the event loop nor grows memory without bound. */
import type { Clock } from "../base/clock.ts";
import { pause } from "../base/pause.ts";
import type { DeliveryGap } from "../events/delivery/delivery-events.ts";
import type { BrokerPosition } from "../store/model/cursor.ts";

export interface ReceivedMessage {
  readonly subject: string;
  readonly bytes: Uint8Array;
  /** SHA-256 (hex) of `bytes`, if it has been computed already. */
  readonly sha256?: string;
  /** Messages with the same key are duplicates; null if the transport has no such key (core NATS). */
  readonly dedupeKey: string | null;
  /** Its position in the broker stream, if it came from one. */
  readonly position?: BrokerPosition;
  /** Messages missing from the stream just before it. */
  readonly gaps?: readonly DeliveryGap[];
  /** Tells the broker not to redeliver the message. Called after its batch is committed, never before. Must not throw. */
  readonly acknowledge?: () => void;
}

/** `retryMs`: none of the batch was taken; it stays at the head and is delivered again after this delay. */
export type BatchOutcome = "done" | { readonly retryMs: number };

export interface IngestBufferOptions {
  /** Must not throw. */
  readonly onBatch: (batch: readonly ReceivedMessage[]) => BatchOutcome;
  /** Called once per burst, for the first message that does not fit. */
  readonly onOverflow: () => void;
  /** Called for every message that does not fit. */
  readonly onDrop?: () => void;
  /** Called when it is disposed with messages that the broker does not redeliver, and that were not taken. */
  readonly onLost?: (messages: number) => void;
  readonly clock: Clock;
  readonly maxMessages?: number;
  readonly maxBytes?: number;
}

export interface IngestBufferCounts {
  /** Messages lost because the buffer was full. */
  readonly dropped: number;
  readonly buffered: number;
}

const BATCH_SIZE = 64;
/** How long `drain` waits for a batch that is to be delivered again: a part of the two seconds that a stop may take. */
const DRAIN_MS = 300;
const NEVER = new AbortController().signal;
const DEFAULT_MAX_MESSAGES = 16_384;
const DEFAULT_MAX_BYTES = 64 * 1_048_576;

export class IngestBuffer implements Disposable {
  readonly #options: IngestBufferOptions;
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  #buffer: ReceivedMessage[] = [];
  #bufferedBytes = 0;
  #dropped = 0;
  /** Whether this burst's overflow has been reported; a burst is over once the buffer is at most half full. */
  #overflowing = false;
  #turn: Disposable | undefined;
  #idle: (() => void)[] = [];

  constructor(options: IngestBufferOptions) {
    this.#options = options;
    this.#maxMessages = options.maxMessages ?? DEFAULT_MAX_MESSAGES;
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
  }

  /** Buffers the message for a later turn of the event loop. False if the buffer is full, and the message dropped. */
  offer(message: ReceivedMessage): boolean {
    if (this.#buffer.length >= this.#maxMessages || this.#bufferedBytes + message.bytes.length > this.#maxBytes) {
      this.#dropped += 1;
      this.#options.onDrop?.();
      if (!this.#overflowing) {
        this.#overflowing = true;
        this.#options.onOverflow();
      }
      return false;
    }
    this.#buffer.push(message);
    this.#bufferedBytes += message.bytes.length;
    this.#turn ??= this.#options.clock.schedule(0, () => this.#takeTurn());
    return true;
  }

  /** Resolves once everything in the buffer has been committed or discarded. */
  idle(): Promise<void> {
    if (this.#buffer.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Empties the buffer; the broker redelivers its messages. */
  discard(): void {
    this.#buffer = [];
    this.#bufferedBytes = 0;
    this.#settle();
  }

  counts(): IngestBufferCounts {
    return { dropped: this.#dropped, buffered: this.#buffer.length };
  }

  /** Delivers what is buffered at once, again for a moment if a batch is not taken, and stops. */
  async drain(): Promise<void> {
    const { clock } = this.#options;
    const untilMs = clock.monotonicMs() + DRAIN_MS;
    this.#turn?.[Symbol.dispose]();
    while (this.#buffer.length > 0) {
      const outcome = this.#deliver();
      if (outcome === "done") continue;
      if (clock.monotonicMs() + outcome.retryMs > untilMs) break;
      await pause(clock, outcome.retryMs, NEVER);
    }
    this[Symbol.dispose]();
  }

  /** Delivers what is buffered at once, until a batch is not taken, and stops. */
  [Symbol.dispose](): void {
    this.#turn?.[Symbol.dispose]();
    while (this.#buffer.length > 0 && this.#deliver() === "done");
    const lost = this.#buffer.filter(({ acknowledge }) => acknowledge === undefined).length;
    if (lost > 0) this.#options.onLost?.(lost);
    this.discard();
  }

  #settle(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #takeTurn(): void {
    this.#turn = undefined;
    const outcome = this.#deliver();
    if (this.#buffer.length === 0) {
      this.#settle();
      return;
    }
    const again = () => this.#takeTurn();
    // Lets the event loop serve sockets between two batches.
    this.#turn = this.#options.clock.schedule(outcome === "done" ? 0 : outcome.retryMs, again);
  }

  #deliver(): BatchOutcome {
    const batch = this.#buffer.slice(0, BATCH_SIZE);
    const outcome = this.#options.onBatch(batch);
    if (outcome !== "done") return outcome;
    this.#buffer.splice(0, batch.length);
    for (const message of batch) this.#bufferedBytes -= message.bytes.length;
    for (const message of batch) message.acknowledge?.();
    if (this.#buffer.length * 2 <= this.#maxMessages && this.#bufferedBytes * 2 <= this.#maxBytes) this.#overflowing = false;
    return outcome;
  }
}
