/** Core NATS subscriptions. Delivery is at most once: messages published while we are disconnected are lost. */
import type { Clock } from "../base/clock.ts";
import { isFault, messageOf } from "../base/errors.ts";
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

/** A denied subscription is retried: permissions change while servers run. */
const DENIED_RETRY_MS = 5_000;

/** The subscriptions of one client, until it closes or they are disposed. */
export class CoreSubscription implements Disposable {
  readonly #client: NatsConnection;
  readonly #subjects: ReadonlySet<string>;
  readonly #dependencies: SubscriptionDependencies;
  /** Subjects that the server has confirmed. */
  readonly #confirmed = new Set<string>();
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #retries = new Map<string, Disposable>();
  /** Checked after each await. */
  #ended = false;

  constructor(client: NatsConnection, subjects: readonly string[], dependencies: SubscriptionDependencies) {
    this.#client = client;
    this.#subjects = new Set(subjects);
    this.#dependencies = dependencies;
    for (const subject of this.#subjects) void this.#subscribe(subject);
  }

  /** Whether the server has confirmed all subscriptions, so that messages published from now on arrive. */
  get subscribed(): boolean {
    return !this.#ended && this.#confirmed.size === this.#subjects.size && !this.#client.isClosed();
  }

  /** Stops receiving. Messages already received stay in the buffer. */
  [Symbol.dispose](): void {
    this.#ended = true;
    for (const retry of this.#retries.values()) retry[Symbol.dispose]();
    if (this.#client.isClosed()) return;
    for (const subscription of this.#subscriptions.values()) subscription.unsubscribe();
  }

  /** The server answers in order: once the flush completes, the subscription is confirmed or its denial has been reported. */
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
          // A copy: the client's bytes are a view that keeps a whole socket read in memory.
          buffer.offer({ subject: message.subject, bytes: new Uint8Array(message.data), dedupeKey: null });
        },
      });
      this.#subscriptions.set(subject, subscription);
      await flush(this.#client);
    } catch (error) {
      // A lost connection is reported elsewhere, and its next client subscribes again.
      if (isFault(error)) logger.fault("nats", error, { subject });
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
      logger.error({ subject, reason, retryMs: DENIED_RETRY_MS }, "cannot subscribe; missing events on this subject");
  }
}

/** Subscribes with each new client of a connection, until disposed. */
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
