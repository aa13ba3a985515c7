/**
 * Tells the head of the chain to those who keep what they hear: the service log, and a NATS subject. Whoever has a head of yesterday
 * can tell today whether anything before it was changed or cut off (docs/adr/0012).
 */

import { type Clock, deadline, type Random, repeat } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import type { Logger } from "../base/log.ts";
import { abortable } from "../base/pause.ts";
import { isoTime } from "../base/units.ts";
import type { NatsConnection } from "../nats/connection/client.ts";
import type { PersistentConnection } from "../nats/connection/connection.ts";
import { flush } from "../nats/connection/dial.ts";
import type { LogHead } from "../store/model/log-head.ts";
import type { Store } from "../store/store.ts";

const PUBLISH_EVERY_MS = 60_000;
const SEND_WITHIN_MS = 500;

interface HeadPublisherInit {
  readonly store: Pick<Store, "head" | "headFailing">;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

interface HeadSubject {
  readonly connection: Pick<PersistentConnection, "onClient">;
  readonly subject: string;
  /** Whose log it is. */
  readonly peerId: PeerId;
}

/** Logs the head at once, at the end (disposal), and once a minute in between if it has changed. */
export class HeadPublisher implements Disposable {
  readonly #init: HeadPublisherInit;
  readonly #timer: Disposable;
  readonly #sinks = new Set<(head: LogHead) => void>();
  #lastHash: string | undefined;
  #headFailing: string | null = null;

  constructor(init: HeadPublisherInit) {
    this.#init = init;
    this.#publish();
    this.#timer = repeat(init.clock, init.random, PUBLISH_EVERY_MS, 0, () => this.#publish());
  }

  /** Publishes there too: with each connection, at the end (disposal), and whenever it is logged in between. */
  publishTo({ connection, subject, peerId }: HeadSubject): AsyncDisposable {
    const { clock } = this.#init;
    let client: NatsConnection | undefined;
    const send = ({ seq, chainHash }: LogHead) => {
      const message = { peerId, seq, chainHash, at: isoTime(clock.wallMs()) };
      if (client !== undefined && !client.isClosed()) client.publish(subject, JSON.stringify(message));
    };
    const sendNow = () => this.#withHead(send);
    const clients = connection.onClient((fresh) => {
      client = fresh;
      sendNow();
    });
    this.#sinks.add(send);
    return {
      [Symbol.asyncDispose]: async () => {
        clients[Symbol.dispose]();
        this.#sinks.delete(send);
        sendNow();
        if (client !== undefined) await this.#sent(client);
      },
    };
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
    this.#publish();
  }

  #publish(): void {
    this.#sayWhetherFileFails();
    this.#withHead((head) => {
      if (head.chainHash === this.#lastHash) return;
      this.#lastHash = head.chainHash;
      this.#init.logger.info({ seq: head.seq, chainHash: head.chainHash }, "event log head");
      for (const send of this.#sinks) send(head);
    });
  }

  /** That the head cannot be read, or not be sent, is no reason to end anything. */
  #withHead(use: (head: LogHead) => void): void {
    const { store, logger } = this.#init;
    try {
      use(store.head());
    } catch (thrown) {
      logger.warn({ error: messageOf(thrown) }, "the head of the event log cannot be published");
    }
  }

  /** The connection is closed next, which would drop what is under way. A server that is silent is not waited for. */
  async #sent(client: NatsConnection): Promise<void> {
    using limit = deadline(this.#init.clock, SEND_WITHIN_MS, () => new Error("the server did not answer"));
    await abortable(flush(client), limit.signal).catch(() => {});
  }

  #sayWhetherFileFails(): void {
    const { store, logger } = this.#init;
    const why = store.headFailing;
    if (why !== null && why !== this.#headFailing)
      logger.error({ error: why }, "the head of the event log is not kept beside the database; the log itself goes on");
    if (why === null && this.#headFailing !== null)
      logger.info({}, "the head of the event log is kept beside the database again");
    this.#headFailing = why;
  }
}
