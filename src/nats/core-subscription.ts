/** Plain (core) subscriptions. Delivery is at most once: what is published while we are away is lost. */
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { ReceivedMessage } from "../ingest/ingest-buffer.ts";
import type { NatsConnection, Subscription } from "./connection/client.ts";
import type { PersistentConnection } from "./connection/connection.ts";
import { describe, flush } from "./connection/dial.ts";

interface SubscriptionDependencies {
  readonly buffer: { offer(message: ReceivedMessage): unknown };
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A denied subscription is asked for again: permissions are changed while servers run. */
const DENIED_RETRY_MS = 5_000;

/** The subscriptions of one client; they end with it, or when disposed. */
export class CoreSubscription implements Disposable {
  readonly #client: NatsConnection;
  readonly #subjects: ReadonlySet<string>;
  readonly #dependencies: SubscriptionDependencies;
  /** Subjects that the server has confirmed. */
  readonly #confirmed = new Set<string>();
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #retries = new Map<string, Disposable>();
  /** Looked at after each wait. */
  #ended = false;

  constructor(client: NatsConnection, subjects: readonly string[], dependencies: SubscriptionDependencies) {
    this.#client = client;
    this.#subjects = new Set(subjects);
    this.#dependencies = dependencies;
    for (const subject of this.#subjects) void this.#subscribe(subject);
  }

  /** Whether the server holds all our subscriptions right now: what is published from here on arrives. */
  get subscribed(): boolean {
    return !this.#ended && this.#confirmed.size === this.#subjects.size && !this.#client.isClosed();
  }

  /** Takes no more messages. What was received before stays in the buffer. */
  [Symbol.dispose](): void {
    this.#ended = true;
    for (const retry of this.#retries.values()) retry[Symbol.dispose]();
    if (this.#client.isClosed()) return;
    for (const subscription of this.#subscriptions.values()) subscription.unsubscribe();
  }

  /** The server answers in order: once the flush is through, the subscription is confirmed or its denial has been called back. */
  async #subscribe(subject: string): Promise<void> {
    const { buffer, logger } = this.#dependencies;
    let denied = false;
    try {
      const subscription = this.#client.subscribe(subject, {
        callback: (error, message) => {
          if (this.#ended) return;
          if (error !== null) {
            denied = true;
            this.#retryLater(subject, describe(error));
            return;
          }
          // A copy: the client's bytes are a view that would keep the whole read of the socket in memory.
          buffer.offer({ subject: message.subject, bytes: new Uint8Array(message.data), dedupeKey: null });
        },
      });
      this.#subscriptions.set(subject, subscription);
      await flush(this.#client);
    } catch (error) {
      // When the connection ended, it says so itself, and its next client subscribes again.
      if (!this.#ended && !this.#client.isClosed()) this.#retryLater(subject, messageOf(error));
      return;
    }
    if (this.#ended || denied) return;
    this.#confirmed.add(subject);
    if (this.subscribed) logger.info({ subjects: [...this.#subjects] }, "subscribed to NATS");
  }

  #retryLater(subject: string, reason: string): void {
    const { clock, logger } = this.#dependencies;
    const deniedBefore = this.#retries.has(subject);
    this.#confirmed.delete(subject);
    this.#retries.get(subject)?.[Symbol.dispose]();
    this.#retries.set(
      subject,
      clock.schedule(DENIED_RETRY_MS, () => void this.#subscribe(subject)),
    );
    if (!deniedBefore)
      logger.error({ subject, reason, retryMs: DENIED_RETRY_MS }, "cannot subscribe; events on this subject are missed");
  }
}

/** Subscribes with every fresh client of a connection, until disposed. */
export class PersistentSubscription implements Disposable {
  readonly #clients: Disposable;
  #current: CoreSubscription | undefined;

  constructor(
    connection: Pick<PersistentConnection, "onClient">,
    subjects: readonly string[],
    dependencies: SubscriptionDependencies,
  ) {
    this.#clients = connection.onClient((client) => {
      this.#current?.[Symbol.dispose]();
      this.#current = new CoreSubscription(client, subjects, dependencies);
    });
  }

  get subscribed(): boolean {
    return this.#current?.subscribed === true;
  }

  [Symbol.dispose](): void {
    this.#clients[Symbol.dispose]();
    this.#current?.[Symbol.dispose]();
  }
}
