/** The source apps: a client that publishes with plain core publish all the time, and is never killed. */
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

  /** How many messages it has sent, whether or not a server ever read them. */
  get published(): number {
    return this.#published;
  }

  set perSecond(messages: number) {
    this.#perSecond = messages;
  }

  /** Publishes from now on. */
  async begin(): Promise<void> {
    this.#client = await connect({ servers: [this.#url], reconnect: false });
    this.#tickedMs = performance.now();
  }

  /** Publishes so many messages at once, if it publishes at all. */
  burst(messages: number): void {
    const client = this.#client;
    if (client === undefined || client.isClosed()) return;
    for (let count = 0; count < messages; count++) {
      const { subject, bytes } = this.#messages.draw(this.#random);
      client.publish(subject, bytes);
    }
    this.#published += messages;
  }

  /** Publishes nothing more. Resolves when the server has read all that was published, if there is one. */
  async end(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    if (client?.isClosed() === false) await client.drain().catch(() => {});
  }

  /** The server is gone: what it had not read is lost, as it is to an app that does not wait. */
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
