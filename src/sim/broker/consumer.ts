/** A durable pull consumer with `ack_policy: all`, modelled on nats-server; test/contract/broker-link.contract.ts checks both. */
import type { Clock } from "../../base/clock.ts";
import {
  type ConsumerSettings,
  type ConsumerState,
  type PullRequest,
  type PullStatus,
  REQUIRED_CONSUMER,
} from "../../ingest/broker/broker-port.ts";
import type { StoredMessage, StoredMessages } from "./stored-message.ts";

/** Where the replies to a pull request go. */
export interface Inbox {
  /** Whether the broker believes that the subscription is still there. */
  readonly isWanted: boolean;
  message(message: StoredMessage, reply: string, deliveries: readonly number[]): void;
  status(requestNumber: number, status: PullStatus): void;
}

interface WaitingRequest {
  readonly inbox: Inbox;
  readonly request: PullRequest;
  left: number;
  readonly expiry: Disposable;
  heartbeat: Disposable | undefined;
}

interface Pending {
  readonly consumerSequence: number;
  redeliverAtMs: number;
}

export class SimConsumer {
  readonly #stream: StoredMessages;
  readonly #settings: ConsumerSettings;
  readonly #clock: Clock;
  readonly #onAcknowledged: (upTo: number) => void;
  /** Delivered and not acknowledged, in stream order. */
  readonly #pending = new Map<number, Pending>();
  readonly #deliveries = new Map<number, number>();
  /** Sequences to redeliver. */
  #again: number[] = [];
  /** The stream sequence of each delivery, in delivery order. */
  readonly #sent: number[] = [];
  #waiting: WaitingRequest[] = [];
  #next: number;
  #consumerSequence = 0;
  #ackFloor: number;
  #isDeleted = false;
  #redelivery: Disposable | undefined;

  constructor(stream: StoredMessages, settings: ConsumerSettings, clock: Clock, onAcknowledged: (upTo: number) => void) {
    this.#stream = stream;
    this.#settings = settings;
    this.#clock = clock;
    this.#onAcknowledged = onAcknowledged;
    this.#next = settings.startSequence;
    this.#ackFloor = this.#next - 1;
  }

  get state(): ConsumerState {
    this.#forgetUnwanted();
    const { startSequence, ackWaitMs, maxUnacknowledged } = this.#settings;
    return {
      startSequence,
      delivered: { consumerSequence: this.#consumerSequence, streamSequence: this.#next - 1 },
      unacknowledged: this.#pending.size,
      waitingRequests: this.#waiting.length,
      acknowledged: this.#ackFloor,
      owner: this.#settings.owner,
      isPaused: false,
      isAsRequired: ackWaitMs >= REQUIRED_CONSUMER.ackWaitMs && maxUnacknowledged >= REQUIRED_CONSUMER.maxUnacknowledged,
    };
  }

  request(request: PullRequest, inbox: Inbox): void {
    const waiting: WaitingRequest = {
      inbox,
      request,
      left: request.messages,
      expiry: this.#clock.schedule(request.expiresMs, () => this.#end(waiting, "over")),
      heartbeat: undefined,
    };
    this.#waiting.push(waiting);
    this.#beat(waiting);
    this.deliver();
  }

  /** Delivers as many messages as the waiting requests allow. */
  deliver(): void {
    for (;;) {
      this.#forgetUnwanted();
      const [waiting] = this.#waiting;
      const message = waiting && this.#take();
      if (waiting === undefined || message === undefined) return;
      this.#send(message, waiting);
    }
  }

  /** Acknowledges everything delivered up to `sequence`. */
  acknowledge(sequence: number): void {
    if (sequence <= this.#ackFloor) return;
    this.#ackFloor = sequence;
    for (const delivered of this.#pending.keys()) if (delivered <= sequence) this.#settle(delivered);
    this.#again = this.#again.filter((again) => again > sequence);
    this.#onAcknowledged(sequence);
    this.deliver();
  }

  deleted(): void {
    this.#isDeleted = true;
    this.#redelivery?.[Symbol.dispose]();
    for (const waiting of this.#waiting) this.#end(waiting, "consumer_deleted");
  }

  /** Rewinds the consumer to the time when the stream ended at `lastSequence`, with everything up to it acknowledged. */
  setBack(lastSequence: number): void {
    const later = this.#sent.findIndex((sequence) => sequence > lastSequence);
    if (later >= 0) this.#sent.splice(later);
    this.#consumerSequence = this.#sent.length;
    this.#next = Math.min(this.#next, Math.max(lastSequence + 1, this.#settings.startSequence));
    this.#ackFloor = Math.min(this.#ackFloor, lastSequence);
    this.#pending.clear();
    this.#again = [];
  }

  /** The next message to deliver, redeliveries first. */
  #take(): StoredMessage | undefined {
    for (let sequence = this.#again.shift(); sequence !== undefined; sequence = this.#again.shift()) {
      const message = this.#stream.at(sequence);
      if (message !== undefined) return message;
      this.#settle(sequence);
    }
    if (this.#pending.size >= this.#settings.maxUnacknowledged) return undefined;
    const message = this.#stream.from(this.#next);
    if (message !== undefined) this.#next = message.sequence + 1;
    return message;
  }

  #send(message: StoredMessage, waiting: WaitingRequest): void {
    const { sequence, storedAtNs } = message;
    const times = (this.#deliveries.get(sequence) ?? 0) + 1;
    this.#deliveries.set(sequence, times);
    this.#consumerSequence += 1;
    this.#sent.push(sequence);
    this.#pending.set(sequence, {
      consumerSequence: this.#consumerSequence,
      redeliverAtMs: this.#clock.monotonicMs() + this.#settings.ackWaitMs,
    });
    this.#watchPending();
    const left = this.#stream.pendingFrom(this.#next);
    const position = [times, sequence, this.#consumerSequence, storedAtNs, left].join(".");
    const reply = `$JS.ACK.${this.#stream.name}.consumer.${position}`;
    waiting.left -= 1;
    if (waiting.left === 0) this.#forget(waiting);
    else this.#beat(waiting);
    waiting.inbox.message(message, reply, this.#stream.deliveriesOf(message));
  }

  #settle(sequence: number): void {
    this.#pending.delete(sequence);
    this.#deliveries.delete(sequence);
  }

  /** Redelivers messages that are not acknowledged in time. */
  #watchPending(): void {
    if (this.#redelivery !== undefined) return;
    const [first] = this.#pending.values();
    if (first === undefined) return;
    const inMs = Math.min(...[...this.#pending.values()].map(({ redeliverAtMs }) => redeliverAtMs)) - this.#clock.monotonicMs();
    this.#redelivery = this.#clock.schedule(inMs, () => {
      this.#redelivery = undefined;
      if (this.#isDeleted) return;
      for (const [sequence, pending] of this.#pending) {
        if (pending.redeliverAtMs > this.#clock.monotonicMs()) continue;
        pending.redeliverAtMs = this.#clock.monotonicMs() + this.#settings.ackWaitMs;
        if (!this.#again.includes(sequence)) this.#again.push(sequence);
      }
      this.#watchPending();
      this.deliver();
    });
  }

  #beat(waiting: WaitingRequest): void {
    waiting.heartbeat?.[Symbol.dispose]();
    waiting.heartbeat = this.#clock.schedule(waiting.request.heartbeatMs, () => {
      this.#forgetUnwanted();
      if (!this.#waiting.includes(waiting)) return;
      waiting.inbox.status(waiting.request.number, { kind: "alive" });
      this.#beat(waiting);
    });
  }

  #end(waiting: WaitingRequest, kind: "over" | "consumer_deleted"): void {
    this.#forget(waiting);
    waiting.inbox.status(waiting.request.number, { kind });
  }

  #forgetUnwanted(): void {
    for (const waiting of this.#waiting) if (!waiting.inbox.isWanted) this.#forget(waiting);
  }

  #forget(waiting: WaitingRequest): void {
    waiting.expiry[Symbol.dispose]();
    waiting.heartbeat?.[Symbol.dispose]();
    this.#waiting = this.#waiting.filter((other) => other !== waiting);
  }
}
