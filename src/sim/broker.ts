/** The broker between the apps and the daemon. What it promises depends on the kind; what it does depends on the faults. */
import type { Clock } from "../clock.ts";
import type { ReceivedMessage } from "../nats/delivery.ts";

/** A message that was not acknowledged for so long is delivered again. */
const ACKNOWLEDGE_WAIT_MS = 5_000;

export interface Published {
  /** Its place in the broker's stream, from 1. */
  readonly sequence: number;
  readonly subject: string;
  readonly bytes: Uint8Array;
}

export interface BrokerInit {
  readonly clock: Clock;
  readonly delivery: "at_most_once" | "at_least_once";
  readonly latencyMs: number;
  /** The daemon says that it need not get the message again; whoever throws ends the daemon there. */
  readonly onAcknowledge: (message: Published) => void;
  /** The acknowledgement has reached the broker. */
  readonly onAcknowledged: (message: Published) => void;
}

type Subscriber = (message: ReceivedMessage) => void;

export class SimBroker {
  readonly #init: BrokerInit;
  readonly #stream: Published[] = [];
  readonly #acknowledged = new Set<number>();
  #subscriber: Subscriber | undefined;
  #up = true;
  #redelivery: Disposable | undefined;

  constructor(init: BrokerInit) {
    this.#init = init;
  }

  /** Everything that was ever published, in order. */
  get stream(): readonly Published[] {
    return this.#stream;
  }

  /** Copies arrive `deliveries` ms from now. */
  publish(subject: string, bytes: Uint8Array, deliveries: readonly number[]): Published {
    const message = { sequence: this.#stream.length + 1, subject, bytes };
    this.#stream.push(message);
    for (const delayMs of deliveries) this.#init.clock.schedule(delayMs + this.#init.latencyMs, () => this.#deliver(message));
    return message;
  }

  /** The daemon is there. What it missed comes now, where the broker keeps anything. */
  subscribe(subscriber: Subscriber): void {
    this.#subscriber = subscriber;
    this.#redeliverSoon(this.#init.latencyMs);
  }

  /** The daemon is gone. */
  unsubscribe(): void {
    this.#subscriber = undefined;
    this.#redelivery?.[Symbol.dispose]();
    this.#redelivery = undefined;
  }

  set(state: "down" | "up"): void {
    this.#up = state === "up";
    if (this.#up) this.#redeliverSoon(this.#init.latencyMs);
  }

  /** The broker has forgotten what was acknowledged, as when a durable consumer is made anew: all of it comes again. */
  forgetAcknowledgements(): void {
    this.#acknowledged.clear();
    this.#redeliverSoon(this.#init.latencyMs);
  }

  #redeliverSoon(delayMs: number): void {
    if (this.#init.delivery === "at_most_once" || this.#subscriber === undefined) return;
    this.#redelivery?.[Symbol.dispose]();
    this.#redelivery = this.#init.clock.schedule(delayMs, () => {
      this.#redelivery = undefined;
      for (const message of this.#stream) if (!this.#acknowledged.has(message.sequence)) this.#deliver(message);
    });
  }

  #deliver(message: Published): void {
    if (!this.#up || this.#subscriber === undefined) return;
    const { subject, bytes, sequence } = message;
    if (this.#init.delivery === "at_most_once") {
      this.#subscriber({ subject, bytes, dedupeKey: null });
      return;
    }
    if (this.#redelivery === undefined) this.#redeliverSoon(ACKNOWLEDGE_WAIT_MS);
    this.#subscriber({ subject, bytes, dedupeKey: `sim:${sequence}`, acknowledge: () => this.#acknowledge(message) });
  }

  #acknowledge(message: Published): void {
    this.#init.onAcknowledge(message);
    // On its way an acknowledgement can be lost; then the message comes once more.
    if (!this.#up || this.#subscriber === undefined) return;
    this.#acknowledged.add(message.sequence);
    this.#init.onAcknowledged(message);
  }
}
