/**
 * Pulls from a consumer, one request at a time. The client library's own loop waits for a deleted consumer, prints to the console, and
 * runs its own timers; the protocol is small (docs/adr/0011-jetstream-ingest.md).
 */
import type { Clock } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import type { BrokerLink, BrokerMessage, PullChannel, PullStatus } from "../broker/broker-port.ts";
import type { ReadingEnd } from "./reading-end.ts";

/** Lifetime of a request; an expired one is repeated. */
const EXPIRES_MS = 30_000;
/** Interval of the broker's heartbeats while it has nothing to deliver. */
const HEARTBEAT_MS = 1_500;
/** Two and a half heartbeats: two missed ones, and half of one for network delay. */
const SILENT_MS = 3_750;
const LOOK_MS = 500;

interface PullOptions {
  readonly link: Pick<BrokerLink, "openPull" | "isClosed">;
  readonly clock: Clock;
  readonly onMessage: (message: BrokerMessage) => void;
  /** The request is finished, with or without all it asked for: time for the next one. */
  readonly onRequestOver: () => void;
  /** Pulling has ended. Called once, never after disposal. */
  readonly onEnded: (end: ReadingEnd) => void;
}

export class Pull implements Disposable {
  readonly #options: PullOptions;
  readonly #channel: PullChannel;
  #request = 0;
  #outstanding = 0;
  #requestedAtMs = 0;
  /** Whether the request has brought a message. */
  #hasDelivered = false;
  #isOverAtNextLook = false;
  #heardAtMs: number;
  #watch: Disposable | undefined;
  #ended = false;

  constructor(options: PullOptions) {
    this.#options = options;
    this.#heardAtMs = options.clock.monotonicMs();
    this.#channel = options.link.openPull({
      message: (message) => this.#received(message),
      status: (request, status) => this.#told(request, status),
      failed: (error) => this.#end({ reason: "subscription_failed", facts: { error } }),
    });
    this.#look();
  }

  /** Whether a request is outstanding. */
  get isPulling(): boolean {
    return this.#outstanding > 0;
  }

  /** Requests up to `messages` more. Only while none is outstanding. */
  request(messages: number): void {
    const { link, clock } = this.#options;
    if (this.#ended || link.isClosed()) return;
    this.#request += 1;
    this.#outstanding = messages;
    this.#hasDelivered = false;
    this.#requestedAtMs = clock.monotonicMs();
    this.#heardAtMs = this.#requestedAtMs;
    this.#channel.request({ number: this.#request, messages, expiresMs: EXPIRES_MS, heartbeatMs: HEARTBEAT_MS });
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#watch?.[Symbol.dispose]();
    this.#channel[Symbol.dispose]();
  }

  #received(message: BrokerMessage): void {
    if (this.#ended) return;
    this.#heardAtMs = this.#options.clock.monotonicMs();
    this.#outstanding -= 1;
    this.#hasDelivered = true;
    this.#options.onMessage(message);
    if (this.#outstanding === 0 && !this.#ended) this.#over();
  }

  #over(): void {
    this.#outstanding = 0;
    this.#isOverAtNextLook = false;
    this.#options.onRequestOver();
  }

  #told(request: number, status: PullStatus): void {
    if (this.#ended) return;
    const nowMs = this.#options.clock.monotonicMs();
    this.#heardAtMs = nowMs;
    // The status of an earlier request says nothing about this one.
    if (request !== this.#request) return;
    switch (status.kind) {
      case "alive":
        return;
      case "over":
        // A broker that ends each request at once must not make us ask without a pause.
        if (nowMs - this.#requestedAtMs < LOOK_MS && !this.#hasDelivered) this.#isOverAtNextLook = true;
        else this.#over();
        return;
      case "consumer_deleted":
        this.#end({ reason: "consumer_deleted" });
        return;
      case "no_responders":
        this.#end({ reason: "consumer_missing" });
        return;
      case "refused":
        this.#end({ reason: "pull_refused", facts: { code: status.code, description: status.description } });
        return;
    }
  }

  #look(): void {
    const { clock } = this.#options;
    this.#watch = clock.schedule(LOOK_MS, () => {
      if (this.isPulling && clock.monotonicMs() - this.#heardAtMs > SILENT_MS)
        this.#end(new PartnerdError("nats_unavailable", "NATS sent neither messages nor heartbeats"));
      if (this.#isOverAtNextLook && !this.#ended) this.#over();
      if (!this.#ended) this.#look();
    });
  }

  #end(end: ReadingEnd): void {
    if (this.#ended) return;
    this[Symbol.dispose]();
    this.#options.onEnded(end);
  }
}
