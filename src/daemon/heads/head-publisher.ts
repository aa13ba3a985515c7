/**
 * Publishes the head of the chain to the service log and to subscribers of a NATS subject. A head published yesterday can prove today
 * that nothing before it was changed or cut off (docs/adr/0012-hash-chain.md).
 */

import { type Clock, deadline, type Random, repeat } from "../../base/clock.ts";
import { isFault, isSameFailure, messageOf, type PartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import type { Logger } from "../../base/log.ts";
import { abortable } from "../../base/pause.ts";
import { isoTime } from "../../base/units.ts";
import type { NatsConnection } from "../../nats/connection/client.ts";
import type { PersistentConnection } from "../../nats/connection/connection.ts";
import { flush } from "../../nats/connection/dial.ts";
import type { LogHead } from "../../store/model/log-head.ts";
import type { Store } from "../../store/store.ts";

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
  /** The PeerID of this daemon. */
  readonly peerId: PeerId;
}

/** Logs the head when created, when disposed, and once a minute in between if it has changed. */
export class HeadPublisher implements Disposable {
  readonly #init: HeadPublisherInit;
  readonly #timer: Disposable;
  readonly #sinks = new Set<(head: LogHead) => void>();
  #lastHash: string | undefined;
  #headFailing: PartnerdError | null = null;

  constructor(init: HeadPublisherInit) {
    this.#init = init;
    this.#publish();
    this.#timer = repeat(init.clock, init.random, PUBLISH_EVERY_MS, 0, () => this.#publish());
  }

  /** Also publishes to a subject: on each connection, when disposed, and whenever the head is logged. */
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

  /** Failing to read or send the head is only logged. */
  #withHead(use: (head: LogHead) => void): void {
    const { store, logger } = this.#init;
    try {
      use(store.head());
    } catch (thrown) {
      if (isFault(thrown)) logger.fault("log", thrown);
      else logger.warn({ error: messageOf(thrown) }, "cannot publish the head of the event log");
    }
  }

  /** Closing the connection drops unsent messages, so flush first. Gives up if the server does not respond. */
  async #sent(client: NatsConnection): Promise<void> {
    using limit = deadline(this.#init.clock, SEND_WITHIN_MS, () => new Error("the server did not answer"));
    await abortable(flush(client), limit.signal).catch(() => {});
  }

  #sayWhetherFileFails(): void {
    const { store, logger } = this.#init;
    const failing = store.headFailing;
    if (failing !== null && !isSameFailure(failing, this.#headFailing))
      logger.error({ error: failing.message }, "head file is not writable; the log itself is");
    if (failing === null && this.#headFailing !== null) logger.info({}, "head file is writable again");
    this.#headFailing = failing;
  }
}
