/** Picks the source of events on each connection: a JetStream stream, or a core subscription if there is no stream. */

import type { Clock } from "../base/clock.ts";
import { isFault, isSameFailure, messageOf, type PartnerdError, toPartnerdError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { pause } from "../base/pause.ts";
import type { DeliveryChanged } from "../events/delivery/delivery-events.ts";
import type { ConsumerOwner } from "../ingest/broker/broker-port.ts";
import type { IngestBuffer } from "../ingest/ingest-buffer.ts";
import { BrokerStreamReader, type BrokerStreamReaderDependencies } from "../ingest/stream/reader.ts";
import type { Loop } from "../ingest/stream/restart-loop.ts";
import type { Rereading } from "../ingest/stream/resync.ts";
import { BrokerStreamApi } from "./broker-stream-api.ts";
import type { NatsConnection } from "./connection/client.ts";
import type { PersistentConnection } from "./connection/connection.ts";
import { flush } from "./connection/dial.ts";
import { CoreSubscription } from "./core-subscription.ts";
import { natsLink } from "./nats-link.ts";

/** `auto`: core NATS until the stream has been set up; from its first message on, only the stream. */
type DeliveryMode = "auto" | "jetstream" | "core";

interface EventSourceInit {
  readonly mode: DeliveryMode;
  readonly stream: string;
  readonly consumer: string;
  readonly subjects: readonly string[];
  readonly connection: Pick<PersistentConnection, "onClient">;
  readonly buffer: IngestBuffer;
  readonly log: BrokerStreamReaderDependencies["log"];
  readonly owner: ConsumerOwner;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Runs first on each connection. A failure is logged. */
  readonly prepare?: (client: NatsConnection) => Promise<void>;
}

/** The current state of the source, for status. */
export interface SourceFacts {
  /** Null until the first connection has been examined. */
  readonly from: "jetstream" | "core" | null;
  /** Whether messages published now will reach the log. */
  readonly reading: boolean;
  /** Whether reading the stream restarts at the moment, as for a resync. */
  readonly restarting: boolean;
  /** Null unless reading the stream restarts again and again. */
  readonly loop: Loop | null;
  /** Why they will not, or (core NATS in mode `auto`) why there is no stream to read. */
  readonly problem: PartnerdError | null;
  /** Why messages may not arrive although the stream is read; null if they do. */
  readonly impairment: PartnerdError | null;
  readonly behind: number | null;
  readonly restarts: number;
  /** Null unless a resync is running. */
  readonly rereading: Rereading | null;
}

/** How often mode `auto` checks whether the stream has been set up. */
const LOOK_AGAIN_MS = 5_000;
const APPEND_AGAIN_MS = 1_000;

export class EventSource implements Disposable {
  readonly #init: EventSourceInit;
  readonly #reader: BrokerStreamReader;
  readonly #clients: Disposable;
  #from: "jetstream" | "core" | null = null;
  #core: CoreSubscription | undefined;
  #whyNoStream: PartnerdError | null = null;
  #life = new AbortController();

  constructor(init: EventSourceInit) {
    this.#init = init;
    this.#reader = new BrokerStreamReader(init);
    this.#clients = init.connection.onClient((client) => this.#begin(client));
  }

  facts(): SourceFacts {
    const reader = this.#reader;
    return {
      from: this.#from,
      reading: this.#from === "core" ? this.#core?.subscribed === true : reader.reading,
      restarting: this.#from === "jetstream" && reader.restarting,
      loop: this.#from === "jetstream" ? reader.loop : null,
      problem: this.#from === "core" ? this.#whyNoStream : reader.problem,
      impairment: this.#from === "jetstream" ? reader.impairment : null,
      behind: reader.behind,
      restarts: reader.restarts,
      rereading: this.#from === "core" ? null : reader.rereading,
    };
  }

  /**
   * Reads the whole stream again, once NATS is connected; messages already logged are not appended again. False if there is no stream
   * to read.
   */
  resync(): boolean {
    if (this.#from === "core" || (this.#from === null && !this.#followsStream())) return false;
    this.#reader.resync();
    return true;
  }

  /** True if only a stream will do: because it is configured, or because the log has messages of one. */
  #followsStream(): boolean {
    const { mode, log } = this.#init;
    return mode === "jetstream" || (mode === "auto" && log.cursor() !== undefined);
  }

  /** Stops receiving. Messages already received stay in the buffer. */
  [Symbol.dispose](): void {
    this.#clients[Symbol.dispose]();
    this.#end();
  }

  #begin(client: NatsConnection): void {
    this.#end();
    this.#life = new AbortController();
    void this.#serve(client, this.#life.signal);
  }

  #end(): void {
    this.#life.abort();
    this.#core?.[Symbol.dispose]();
    this.#core = undefined;
  }

  async #serve(client: NatsConnection, signal: AbortSignal): Promise<void> {
    const { mode } = this.#init;
    const isOver = () => signal.aborted || client.isClosed();
    await this.#prepare(client);
    // Once the log follows a stream, going back to core NATS would duplicate some messages and miss others.
    if (!this.#followsStream() && !(mode === "auto" && (await this.#hasStream(client, isOver)))) {
      await this.#subscribe(client, signal);
      while (!isOver() && !(mode === "auto" && (await this.#hasStream(client, isOver))))
        await pause(this.#init.clock, LOOK_AGAIN_MS, signal);
      if (isOver()) return;
      await this.#unsubscribe(client);
    }
    if (isOver()) return;
    this.#from = "jetstream";
    await this.#reader.run(natsLink(client, this.#init), signal);
  }

  async #prepare(client: NatsConnection): Promise<void> {
    try {
      await this.#init.prepare?.(client);
    } catch (thrown) {
      const error = toPartnerdError(thrown);
      if (isFault(error)) this.#init.logger.fault("nats", error);
      else this.#init.logger.error({ code: error.code, error: error.message, nextStep: error.nextStep }, "cannot set up stream");
    }
  }

  async #hasStream(client: NatsConnection, isOver: () => boolean): Promise<boolean> {
    try {
      await new BrokerStreamApi(client, this.#init).state();
      return !isOver();
    } catch (thrown) {
      const why = toPartnerdError(thrown);
      if (isFault(why) && !isSameFailure(this.#whyNoStream, why)) this.#init.logger.fault("nats", why);
      this.#whyNoStream = why;
      return false;
    }
  }

  async #subscribe(client: NatsConnection, signal: AbortSignal): Promise<void> {
    const { subjects, buffer, clock, logger, mode } = this.#init;
    if (signal.aborted) return;
    this.#from = "core";
    this.#core = new CoreSubscription(client, subjects, { buffer, clock, logger });
    const why = mode === "core" ? "nats.mode is core" : (this.#whyNoStream?.message ?? "");
    logger.warn(
      { why, nextStep: mode === "core" ? "set nats.mode to auto, and run `oc-partnerd setup`" : this.#whyNoStream?.nextStep },
      "events are delivered at most once; those published while this daemon or NATS is down are lost",
    );
    await this.#recordAtMostOnce(why, signal);
  }

  /** Recorded, so that the log shows over which span it may lack events. */
  async #recordAtMostOnce(why: string, signal: AbortSignal): Promise<void> {
    const { log, clock, logger } = this.#init;
    const noStream = { stream: null, streamCreated: null, streamSequence: null };
    const changed: DeliveryChanged = { type: "DeliveryChanged", reason: "at_most_once", ...noStream, message: why };
    for (let isLogged = false; !signal.aborted; isLogged = true) {
      try {
        if (log.delivery()?.reason !== "at_most_once") log.appendDelivery([changed]);
        return;
      } catch (thrown) {
        if (!isLogged && isFault(thrown)) logger.fault("nats", thrown);
        else if (!isLogged)
          logger.error({ error: messageOf(thrown) }, "cannot record that events are delivered at most once; retrying");
        await pause(clock, APPEND_AGAIN_MS, signal);
      }
    }
  }

  /** Resolves once everything received by core NATS is logged, so that it precedes anything from the stream. */
  async #unsubscribe(client: NatsConnection): Promise<void> {
    this.#core?.[Symbol.dispose]();
    this.#core = undefined;
    await flush(client).catch(() => {});
    await this.#init.buffer.idle();
  }
}
