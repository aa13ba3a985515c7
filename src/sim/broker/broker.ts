/**
 * The broker between the apps and the daemon, with injected faults. As core NATS it delivers each message at most once; with a stream
 * it stores messages and redelivers them.
 */
import { PartnerdError } from "../../base/errors.ts";
import type { ReceivedMessage } from "../../ingest/ingest-buffer.ts";
import type { ClockView } from "../time/virtual-clock.ts";
import { BrokerAnswers } from "./answers.ts";
import { type BrokerMachine, SimBrokerLink } from "./broker-link.ts";
import type { StoredMessage } from "./stored-message.ts";
import { SimBrokerStream } from "./stream.ts";

export const STREAM = "OC_RESOURCES";
export const CONSUMER = "oc-partnerd";

/** The same timeout as nats/connection/dial.ts, which the simulator may not import. */
const DIAL_TIMEOUT_MS = 5_000;

export interface BrokerInit extends BrokerMachine {
  readonly delivery: "at_most_once" | "at_least_once";
  /** Called when an acknowledgement reaches the broker: every message up to this sequence is acknowledged. */
  readonly onAcknowledged: (upTo: number) => void;
}

type Subscriber = (message: ReceivedMessage) => void;

/** `silent`: paused, with its connections left open. */
type BrokerState = "up" | "down" | "silent";

export class SimBroker {
  readonly #init: BrokerInit;
  readonly #links = new Set<SimBrokerLink>();
  readonly #dials = new Set<() => void>();
  /** Stays empty if delivery is `at_most_once`. */
  readonly stream: SimBrokerStream;
  readonly answers: BrokerAnswers;
  #subscriber: Subscriber | undefined;
  #state: BrokerState = "up";

  constructor(init: BrokerInit) {
    this.#init = init;
    this.stream = new SimBrokerStream(STREAM, init.clock, init.onAcknowledged);
    this.answers = new BrokerAnswers(this.stream, init.clock);
  }

  get state(): BrokerState {
    return this.#state;
  }

  /** Publishes a message. One copy arrives per entry of `deliveries`, delayed by that many ms. Returns it if it was stored. */
  publish(subject: string, bytes: Uint8Array, deliveries: readonly number[]): StoredMessage | undefined {
    const { clock, delivery, latencyMs } = this.#init;
    if (delivery === "at_least_once") return this.stream.publish(subject, bytes, deliveries);
    for (const delayMs of deliveries) clock.schedule(delayMs + latencyMs, () => this.#hand({ subject, bytes }));
    return undefined;
  }

  /** Subscribes by core NATS. */
  subscribe(subscriber: Subscriber): void {
    this.#subscriber = subscriber;
  }

  unsubscribe(): void {
    this.#subscriber = undefined;
  }

  /** Connects a process, with its view of the clock. Rejects if the connection is refused or the broker does not answer within 5 s. */
  dial(view: ClockView): Promise<SimBrokerLink> {
    const { clock, latencyMs } = this.#init;
    const { promise, resolve, reject } = Promise.withResolvers<SimBrokerLink>();
    const fail = (why: string) => reject(new PartnerdError("nats_unavailable", `NATS: ${why}`));
    const limit = view.schedule(DIAL_TIMEOUT_MS, () => fail("no greeting in time"));
    const accept = () => {
      if (this.#state === "silent") this.#dials.add(accept);
      else if (this.#state === "down") view.schedule(latencyMs, () => fail("connection refused"));
      else
        view.schedule(latencyMs, () => {
          limit[Symbol.dispose]();
          resolve(this.#connect(view));
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

  /** Breaks every connection. */
  cut(): void {
    for (const link of this.#links) link.cut();
  }

  /** Makes every connection half-open: nothing gets through, and both ends believe it is open. */
  forget(): void {
    for (const link of this.#links) link.forget();
  }

  /** Restarts the server from a backup that lacks its newest `messages` messages. */
  restoreBackup(messages: number): void {
    this.cut();
    this.stream.setBack(messages);
  }

  /** Another server, which lags `messages` behind, answers for the stream. `isCut`: connections were to the one before, which dies. */
  changeLeader(messages: number, forMs: number, isCut: boolean): void {
    if (isCut) this.cut();
    this.answers.changeLeader(messages, forMs);
  }

  #connect(view: ClockView): SimBrokerLink {
    const { delivery: _, onAcknowledged: __, ...init } = this.#init;
    const onGone = () => this.#links.delete(link);
    const link = new SimBrokerLink({ stream: this.stream, answers: this.answers, view, onGone, ...init });
    this.#links.add(link);
    if (this.#state === "silent") link.hold();
    if (this.#state === "down") link.cut();
    return link;
  }

  #hand(message: { readonly subject: string; readonly bytes: Uint8Array }): void {
    if (this.#state === "up") this.#subscriber?.({ ...message, dedupeKey: null });
  }
}
