/**
 * The broker between the apps and the daemon. What it promises depends on the kind: core NATS forgets, a stream keeps. What it does
 * depends on the faults.
 */
import { PartnerdError } from "../../base/errors.ts";
import type { ReceivedMessage } from "../../ingest/ingest-buffer.ts";
import type { ClockView } from "../time/virtual-clock.ts";
import { type BrokerMachine, SimBrokerLink } from "./broker-link.ts";
import type { StoredMessage } from "./stored-message.ts";
import { SimBrokerStream } from "./stream.ts";

export const STREAM = "OC_RESOURCES";
export const CONSUMER = "oc-partnerd";

/** As nats/connection/dial.ts waits, which the simulator may not import. */
const DIAL_TIMEOUT_MS = 5_000;

export interface BrokerInit extends BrokerMachine {
  readonly delivery: "at_most_once" | "at_least_once";
  /** An acknowledgement has reached the broker: every message up to this sequence is acknowledged. */
  readonly onAcknowledged: (upTo: number) => void;
}

type Subscriber = (message: ReceivedMessage) => void;

/** `silent`: it is paused, and its connections stay open. */
type BrokerState = "up" | "down" | "silent";

export class SimBroker {
  readonly #init: BrokerInit;
  readonly #links = new Set<SimBrokerLink>();
  readonly #dials = new Set<() => void>();
  /** Of a broker that keeps; of one that forgets it stays empty. */
  readonly stream: SimBrokerStream;
  #subscriber: Subscriber | undefined;
  #state: BrokerState = "up";

  constructor(init: BrokerInit) {
    this.#init = init;
    this.stream = new SimBrokerStream(STREAM, init.clock, init.onAcknowledged);
  }

  get state(): BrokerState {
    return this.#state;
  }

  /** Copies arrive `deliveries` ms later than they could. What a stream has stored of it. */
  publish(subject: string, bytes: Uint8Array, deliveries: readonly number[]): StoredMessage | undefined {
    const { clock, delivery, latencyMs } = this.#init;
    if (delivery === "at_least_once") return this.stream.publish(subject, bytes, deliveries);
    for (const delayMs of deliveries) clock.schedule(delayMs + latencyMs, () => this.#hand({ subject, bytes }));
    return undefined;
  }

  /** To core NATS. */
  subscribe(subscriber: Subscriber): void {
    this.#subscriber = subscriber;
  }

  unsubscribe(): void {
    this.#subscriber = undefined;
  }

  /** A connection for this machine. Rejects where nobody takes it, or answers in time. */
  dial(machine: ClockView): Promise<SimBrokerLink> {
    const { clock, latencyMs } = this.#init;
    const { promise, resolve, reject } = Promise.withResolvers<SimBrokerLink>();
    const fail = (why: string) => reject(new PartnerdError("nats_unavailable", `NATS: ${why}`));
    const limit = machine.schedule(DIAL_TIMEOUT_MS, () => fail("no greeting in time"));
    const accept = () => {
      if (this.#state === "silent") this.#dials.add(accept);
      else if (this.#state === "down") machine.schedule(latencyMs, () => fail("connection refused"));
      else
        machine.schedule(latencyMs, () => {
          limit[Symbol.dispose]();
          resolve(this.#connect(machine));
        });
    };
    clock.schedule(latencyMs, accept);
    return promise;
  }

  set(state: BrokerState): void {
    this.#state = state;
    for (const link of this.#links) {
      if (state === "down") link.cut();
      else if (state === "silent") link.hold();
      else link.release();
    }
    if (state === "silent") return;
    const dials = [...this.#dials];
    this.#dials.clear();
    for (const accept of dials) accept();
  }

  /** Every connection breaks. */
  cut(): void {
    for (const link of this.#links) link.cut();
  }

  /** Both ends of every connection believe in it, and nothing passes any more. */
  forget(): void {
    for (const link of this.#links) link.forget();
  }

  /** The server restarts from a copy of its disk, from before its newest `messages` messages. */
  restoreBackup(messages: number): void {
    this.cut();
    this.stream.setBack(messages);
  }

  #connect(machine: ClockView): SimBrokerLink {
    const { delivery: _, onAcknowledged: __, ...init } = this.#init;
    const onGone = () => this.#links.delete(link);
    const link = new SimBrokerLink({ stream: this.stream, machine, onGone, ...init });
    this.#links.add(link);
    if (this.#state === "silent") link.hold();
    if (this.#state === "down") link.cut();
    return link;
  }

  #hand(message: { readonly subject: string; readonly bytes: Uint8Array }): void {
    if (this.#state === "up") this.#subscriber?.({ ...message, dedupeKey: null });
  }
}
