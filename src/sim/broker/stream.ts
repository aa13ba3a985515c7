/** A stream of the simulated broker: the messages it holds, those it lost, and its single consumer. */
import { hash } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { type BrokerStreamState, type ConsumerSettings, REQUIRED_CONSUMER } from "../../ingest/broker/broker-port.ts";
import { dedupeKeyOf, messageHash } from "../../store/model/dedupe-key.ts";
import { SimConsumer } from "./consumer.ts";
import type { StoredMessage, StoredMessages } from "./stored-message.ts";

/** Why the stream no longer holds a message. `set_back`: the stream was rewound to an earlier state. */
export type Loss = "removed" | "recreated" | "set_back";

/** Part of the run of every clone. */
export const CLONE = "-clone-";

interface Taken {
  readonly from: string;
  readonly by: string;
  readonly times: number;
}

const NS_PER_MS = 1_000_000;

export class SimBrokerStream implements StoredMessages {
  readonly name: string;
  readonly #clock: Clock;
  readonly #onAcknowledged: (upTo: number) => void;
  readonly #everStored: StoredMessage[] = [];
  readonly #lost = new Map<StoredMessage, Loss>();
  readonly #delivered = new Set<StoredMessage>();
  #held = new Map<number, StoredMessage>();
  #created: string;
  #lastSequence = 0;
  #consumer: SimConsumer | undefined;
  #taken: Taken | undefined;
  #times = 0;
  #setBacks = 0;

  /** `onAcknowledged` is called with the newest acknowledged sequence. */
  constructor(name: string, clock: Clock, onAcknowledged: (upTo: number) => void) {
    this.name = name;
    this.#clock = clock;
    this.#onAcknowledged = onAcknowledged;
    this.#created = this.#timeOfCreation();
  }

  get state(): Omit<BrokerStreamState, "leader"> {
    const [firstSequence = this.#lastSequence + 1] = this.#held.keys();
    const always = { stream: this.name, uncaptured: [], limits: "unlimited" };
    return { ...always, created: this.#created, firstSequence, lastSequence: this.#lastSequence };
  }

  get consumer(): SimConsumer | undefined {
    return this.#consumer;
  }

  /** Every message ever stored, including those of streams that this one replaced. */
  get everStored(): readonly StoredMessage[] {
    return this.#everStored;
  }

  /** Undefined while the stream holds the message. */
  lossOf(message: StoredMessage): Loss | undefined {
    return this.#lost.get(message);
  }

  /** How often the stream was rewound. */
  get setBacks(): number {
    return this.#setBacks;
  }

  at(sequence: number): StoredMessage | undefined {
    return this.#held.get(sequence);
  }

  from(sequence: number): StoredMessage | undefined {
    for (let at = sequence; at <= this.#lastSequence; at++) {
      const message = this.#held.get(at);
      if (message !== undefined) return message;
    }
    return undefined;
  }

  get newestHeld(): StoredMessage | undefined {
    return [...this.#held.values()].at(-1);
  }

  heldFrom(sequence: number): readonly StoredMessage[] {
    return [...this.#held.values()].filter((message) => message.sequence >= sequence);
  }

  deliveriesOf(message: StoredMessage): readonly number[] {
    if (this.#delivered.has(message)) return [0];
    this.#delivered.add(message);
    return message.deliveries;
  }

  pendingFrom(sequence: number): number {
    let pending = 0;
    for (const held of this.#held.keys()) if (held >= sequence) pending += 1;
    return pending;
  }

  publish(subject: string, bytes: Uint8Array, deliveries: readonly number[] = [0]): StoredMessage {
    const sequence = ++this.#lastSequence;
    const created = this.#created;
    const storedAtNs = String(this.#nowNs());
    const ofMessage = messageHash(storedAtNs, hash("sha256", bytes, "hex"));
    const dedupeKey = dedupeKeyOf({ stream: this.name, created }, sequence, ofMessage);
    const message = { created, sequence, subject, bytes, storedAtNs, messageHash: ofMessage, dedupeKey, deliveries };
    this.#held.set(sequence, message);
    this.#everStored.push(message);
    this.#consumer?.deliver();
    return message;
  }

  /** Removes all but the newest `keep` messages, as the stream's limits would. */
  purge(keep: number): void {
    for (const message of [...this.#held.values()].slice(0, Math.max(0, this.#held.size - keep))) this.#lose(message, "removed");
  }

  /** Deletes a single message; 0 is the newest. */
  remove(nthNewest: number): void {
    const message = [...this.#held.values()].at(-1 - nthNewest);
    if (message !== undefined) this.#lose(message, "removed");
  }

  /** Deletes the stream and creates an empty one of the same name, without a consumer. */
  recreate(): void {
    for (const message of this.#everStored) if (message.created === this.#created) this.#lose(message, "recreated");
    this.deleteConsumer();
    this.#lastSequence = 0;
    this.#created = this.#timeOfCreation();
  }

  /** Rewinds the stream and its consumer to before the newest `messages` sequences, as from a backup. Those are then reused. */
  setBack(messages: number): void {
    const lastSequence = Math.max(0, this.#lastSequence - messages);
    if (lastSequence === this.#lastSequence) return;
    for (const message of this.#everStored)
      if (message.created === this.#created && message.sequence > lastSequence) this.#lose(message, "set_back");
    this.#lastSequence = lastSequence;
    this.#consumer?.setBack(lastSequence);
    this.#setBacks += 1;
  }

  /** Replaces any existing consumer. */
  recreateConsumerAt(settings: ConsumerSettings): void {
    this.deleteConsumer();
    this.#consumer = new SimConsumer(this, settings, this.#clock, this.#onAcknowledged);
  }

  /** A clone of the daemon replaces its consumer with one at the same place, and stops. Nothing happens if no daemon has one. */
  takeConsumer(): void {
    const { owner, acknowledged = 0 } = this.#consumer?.state ?? {};
    if (owner === undefined) return;
    const clone = { peerId: owner.peerId, run: `${owner.run}${CLONE}${(this.#taken?.times ?? 0) + 1}` };
    this.recreateConsumerAt({ startSequence: acknowledged + 1, ...REQUIRED_CONSUMER, owner: clone });
    this.#taken = { from: owner.run, by: clone.run, times: (this.#taken?.times ?? 0) + 1 };
  }

  /** The newest time that a clone took the consumer: the two runs, and how many times there were. */
  get taken(): Taken | undefined {
    return this.#taken;
  }

  deleteConsumer(): boolean {
    const consumer = this.#consumer;
    this.#consumer = undefined;
    consumer?.deleted();
    return consumer !== undefined;
  }

  #lose(message: StoredMessage, loss: Loss): void {
    if (this.#held.get(message.sequence) === message) this.#held.delete(message.sequence);
    this.#lost.set(message, loss);
  }

  #nowNs(): bigint {
    this.#times += 1;
    return BigInt(Math.floor(this.#clock.wallMs())) * BigInt(NS_PER_MS) + BigInt(this.#times % NS_PER_MS);
  }

  /** In the broker's format, with nanoseconds. */
  #timeOfCreation(): string {
    const ns = this.#nowNs();
    const ofSecond = String(ns % 1_000_000_000n).padStart(9, "0");
    return `${new Date(Number(ns / BigInt(NS_PER_MS))).toISOString().slice(0, -5)}.${ofSecond}Z`;
  }
}
