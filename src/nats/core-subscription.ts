/** Plain (core) subscriptions that outlive connections. Delivery is at most once: what is published while we are away is lost. */

import type { Clock } from "../base/clock.ts";
import { messageOf, PartnerdError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { ReceivedMessage } from "../ingest/ingest-buffer.ts";
import type { NatsConnection, Subscription } from "./client.ts";
import type { PersistentConnection } from "./connection/connection.ts";
import { describe, flush } from "./connection/dial.ts";

interface SubscriptionDependencies {
  readonly connection: Pick<PersistentConnection, "onSession">;
  readonly buffer: { offer(message: ReceivedMessage): unknown };
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A denied subscription is asked for again: permissions are changed while servers run. */
const DENIED_RETRY_MS = 5_000;

/** What is true of the subscriptions at one client. Over once `ended`; looked at after each wait. */
interface Session {
  readonly client: NatsConnection;
  /** Subjects that the server has confirmed. */
  readonly held: Set<string>;
  readonly subscriptions: Map<string, Subscription>;
  readonly retries: Map<string, Disposable>;
  ended: boolean;
}

export class CoreSubscription implements Disposable {
  readonly #subjects: ReadonlySet<string>;
  readonly #dependencies: SubscriptionDependencies;
  readonly #ready = Promise.withResolvers<void>();
  readonly #sessions: Disposable;
  #session: Session | undefined;

  /** Subscribes to every subject, now and after each reconnect, until disposed. Throws config_invalid for what cannot be a subject. */
  constructor(subjects: readonly string[], dependencies: SubscriptionDependencies) {
    for (const subject of subjects) checkSubject(subject);
    this.#subjects = new Set(subjects);
    this.#dependencies = dependencies;
    this.#sessions = dependencies.connection.onSession((client) => this.#begin(client));
  }

  /** Whether the server holds all our subscriptions right now: what is published from here on arrives. */
  get subscribed(): boolean {
    const session = this.#session;
    return session !== undefined && session.held.size === this.#subjects.size && !session.client.isClosed();
  }

  /** Resolves once `subscribed` has been true. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Takes no more messages. What was received before stays in the buffer. */
  [Symbol.dispose](): void {
    this.#sessions[Symbol.dispose]();
    this.#end();
  }

  #begin(client: NatsConnection): void {
    this.#end();
    const session: Session = { client, held: new Set(), subscriptions: new Map(), retries: new Map(), ended: false };
    this.#session = session;
    for (const subject of this.#subjects) void this.#subscribe(session, subject);
  }

  #end(): void {
    const session = this.#session;
    this.#session = undefined;
    if (session === undefined) return;
    session.ended = true;
    for (const retry of session.retries.values()) retry[Symbol.dispose]();
    if (session.client.isClosed()) return;
    for (const subscription of session.subscriptions.values()) subscription.unsubscribe();
  }

  /** The server answers in order: once the flush is through, the subscription stands or its denial has been called back. */
  async #subscribe(session: Session, subject: string): Promise<void> {
    const { buffer, logger } = this.#dependencies;
    let denied = false;
    try {
      const subscription = session.client.subscribe(subject, {
        callback: (error, message) => {
          if (session.ended) return;
          if (error !== null) {
            denied = true;
            this.#retryLater(session, subject, describe(error));
            return;
          }
          // A copy: the client's bytes are a view that would keep the whole read of the socket in memory.
          buffer.offer({ subject: message.subject, bytes: new Uint8Array(message.data), dedupeKey: null });
        },
      });
      session.subscriptions.set(subject, subscription);
      await flush(session.client);
    } catch (error) {
      // When the connection ended, it says so itself, and its next session subscribes again.
      if (!session.ended && !session.client.isClosed()) this.#retryLater(session, subject, messageOf(error));
      return;
    }
    if (session.ended || denied) return;
    session.held.add(subject);
    if (!this.subscribed) return;
    logger.info({ subjects: [...this.#subjects] }, "subscribed to NATS");
    this.#ready.resolve();
  }

  #retryLater(session: Session, subject: string, reason: string): void {
    const { clock, logger } = this.#dependencies;
    const deniedBefore = session.retries.has(subject);
    session.held.delete(subject);
    session.retries.get(subject)?.[Symbol.dispose]();
    session.retries.set(
      subject,
      clock.schedule(DENIED_RETRY_MS, () => void this.#subscribe(session, subject)),
    );
    if (!deniedBefore)
      logger.error({ subject, reason, retryMs: DENIED_RETRY_MS }, "cannot subscribe; events on this subject are missed");
  }
}

/** White space would change the meaning of the protocol line; an empty token is refused by every server. */
function checkSubject(subject: string): void {
  if (/^[^\s.]+(\.[^\s.]+)*$/.test(subject)) return;
  throw new PartnerdError("config_invalid", `the NATS subject "${subject}" is not valid`, {
    nextStep: "Write words separated by single dots, without white space, such as CREATE_RESOURCE.",
  });
}
