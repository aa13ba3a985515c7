/** The source apps: a client that publishes continuously with plain core publish and is never killed. */
import { connect, type NatsConnection } from "nats";
import type { Random } from "../../src/base/clock.ts";
import type { LoadMessages } from "./load-messages.ts";

const TICK_MS = 10;

export class Load implements AsyncDisposable {
  readonly #url: string;
  readonly #messages: LoadMessages;
  readonly #random: Random;
  readonly #timer: NodeJS.Timeout;
  #client: NatsConnection | undefined;
  #perSecond = 0;
  #owed = 0;
  #tickedMs = performance.now();
  #published = 0;

  constructor(url: string, messages: LoadMessages, random: Random) {
    this.#url = url;
    this.#messages = messages;
    this.#random = random;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** The number of messages sent, whether or not a server read them. */
  get published(): number {
    return this.#published;
  }

  set perSecond(messages: number) {
    this.#perSecond = messages;
  }

  /** Starts publishing. */
  async begin(): Promise<void> {
    this.#client = await connect({ servers: [this.#url], reconnect: false });
    this.#tickedMs = performance.now();
  }

  /** Publishes this many messages at once, if it has been started. */
  burst(messages: number): void {
    const client = this.#client;
    if (client === undefined || client.isClosed()) return;
    for (let count = 0; count < messages; count++) {
      const { subject, bytes } = this.#messages.draw(this.#random);
      client.publish(subject, bytes);
    }
    this.#published += messages;
  }

  /** Stops publishing. Resolves when the server, if there is one, has read everything published. */
  async end(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    if (client?.isClosed() === false) await client.drain().catch(() => {});
  }

  /** Stops after the server was killed. Messages that it had not read are lost, as for any app that does not wait for a reply. */
  async lost(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.lost();
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#owed += ((nowMs - this.#tickedMs) / 1_000) * this.#perSecond;
    this.#tickedMs = nowMs;
    const due = Math.floor(this.#owed);
    this.#owed -= due;
    this.burst(due);
  }
}
