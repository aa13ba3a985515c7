/** Where events come from on each connection: a JetStream stream, or a plain subscription where there is none. */

import type { Clock } from "../base/clock.ts";
import { messageOf, type PartnerdError, toPartnerdError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { pause } from "../base/pause.ts";
import type { DeliveryChanged } from "../events/types.ts";
import type { IngestBuffer } from "../ingest/ingest-buffer.ts";
import { BrokerStreamReader, type Rereading } from "../ingest/stream/reader.ts";
import type { Store } from "../store/store.ts";
import { BrokerStreamApi } from "./broker-stream-api.ts";
import type { NatsConnection } from "./connection/client.ts";
import type { PersistentConnection } from "./connection/connection.ts";
import { flush } from "./connection/dial.ts";
import { CoreSubscription } from "./core-subscription.ts";
import { natsLink } from "./nats-link.ts";

/** `auto`: the stream where it is set up, and from the first message of it on nothing else; core NATS until then. */
type DeliveryMode = "auto" | "jetstream" | "core";

interface EventSourceInit {
  readonly mode: DeliveryMode;
  readonly stream: string;
  readonly consumer: string;
  readonly subjects: readonly string[];
  readonly connection: Pick<PersistentConnection, "onClient">;
  readonly buffer: IngestBuffer;
  readonly log: Pick<Store, "cursor" | "delivery" | "appendDelivery">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Done on each connection before anything else; how it fails is shown as the reason why there is no stream. */
  readonly prepare?: (client: NatsConnection) => Promise<void>;
}

/** What can be told of the source right now. */
export interface SourceFacts {
  /** Null until it is known, after a connection. */
  readonly from: "jetstream" | "core" | null;
  /** Whether what is published now comes to the log by itself. */
  readonly reading: boolean;
  /** Why it does not, or (from core NATS in mode `auto`) why it does not come from a stream. */
  readonly problem: PartnerdError | null;
  readonly behind: number | null;
  readonly restarts: number;
  /** Null while nothing is read a second time. */
  readonly rereading: Rereading | null;
}

/** How often mode `auto` looks whether the stream has been set up. */
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
      problem: this.#from === "core" ? this.#whyNoStream : reader.problem,
      behind: reader.behind,
      restarts: reader.restarts,
      rereading: this.#from === "jetstream" ? reader.rereading : null,
    };
  }

  /** Reads the whole stream once more; what the log has is not appended again. False where there is no stream to read. */
  resync(): boolean {
    if (this.#from !== "jetstream") return false;
    this.#reader.resync();
    return true;
  }

  /** Takes no more messages. What was received before stays in the buffer. */
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
    const { mode, log } = this.#init;
    const isOver = () => signal.aborted || client.isClosed();
    await this.#prepare(client);
    // Once the log follows a stream, going back to core NATS would bring messages a second time, and leave others out.
    const followsStream = mode === "jetstream" || (mode === "auto" && log.cursor() !== undefined);
    if (!followsStream && !(mode === "auto" && (await this.#hasStream(client, isOver)))) {
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
      this.#init.logger.error({ code: error.code, error: error.message, nextStep: error.nextStep }, "cannot set up the stream");
    }
  }

  async #hasStream(client: NatsConnection, isOver: () => boolean): Promise<boolean> {
    try {
      await new BrokerStreamApi(client, this.#init).state();
      return !isOver();
    } catch (thrown) {
      this.#whyNoStream = toPartnerdError(thrown);
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
      { why, nextStep: mode === "core" ? "Set nats.mode to auto, and run `oc-partnerd setup`." : this.#whyNoStream?.nextStep },
      "events are delivered at most once: what is published while this daemon or NATS is away is lost",
    );
    await this.#recordAtMostOnce(why, signal);
  }

  /** In the log, so that it tells which span nobody can vouch for. */
  async #recordAtMostOnce(why: string, signal: AbortSignal): Promise<void> {
    const { log, clock, logger } = this.#init;
    const noStream = { stream: null, streamCreated: null, streamSequence: null };
    const changed: DeliveryChanged = { type: "DeliveryChanged", reason: "at_most_once", ...noStream, message: why };
    for (let isSaid = false; !signal.aborted; isSaid = true) {
      try {
        if (log.delivery()?.reason !== "at_most_once") log.appendDelivery([changed]);
        return;
      } catch (thrown) {
        if (!isSaid)
          logger.error({ error: messageOf(thrown) }, "the log cannot say that events come at most once; it is tried again");
        await pause(clock, APPEND_AGAIN_MS, signal);
      }
    }
  }

  /** Once the server has confirmed it, what came by core NATS is in the log before anything of the stream. */
  async #unsubscribe(client: NatsConnection): Promise<void> {
    this.#core?.[Symbol.dispose]();
    this.#core = undefined;
    await flush(client).catch(() => {});
    await this.#init.buffer.idle();
  }
}
