/** Keeps a daemon connected to the simulated broker and reads its stream, as connection.ts and event-source.ts do over NATS. */
import { jittered, type Random } from "../../base/clock.ts";
import { pause } from "../../base/pause.ts";
import { BrokerStreamReader, type BrokerStreamReaderDependencies } from "../../ingest/stream/reader.ts";
import type { ClockView } from "../time/virtual-clock.ts";
import { CONSUMER, type SimBroker, STREAM } from "./broker.ts";
import type { SimBrokerLink } from "./broker-link.ts";

/** The same wait between attempts as nats/connection/connection.ts, which the simulator may not import. */
const RECONNECT_WAIT_MS = 1_000;
const RECONNECT_JITTER = 0.5;

export interface SimSubscriberInit extends Pick<BrokerStreamReaderDependencies, "log" | "buffer" | "logger" | "owner"> {
  readonly broker: SimBroker;
  readonly view: ClockView;
  readonly random: Random;
}

export class SimSubscriber implements Disposable {
  readonly #init: SimSubscriberInit;
  readonly #reader: BrokerStreamReader;
  readonly #ending = new AbortController();
  #link: SimBrokerLink | undefined;
  #life = new AbortController();

  constructor(init: SimSubscriberInit) {
    this.#init = init;
    this.#reader = new BrokerStreamReader({ ...init, stream: STREAM, consumer: CONSUMER, clock: init.view });
    void this.#run(this.#ending.signal);
  }

  resync(): void {
    this.#reader.resync();
  }

  /** The daemon's process is dead. `tells`: its machine is still up and resets the connection. */
  abandon(tells: boolean): void {
    this.#link?.abandon(tells);
  }

  [Symbol.dispose](): void {
    this.#ending.abort();
    this.#life.abort();
    void this.#link?.close();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { broker, view, random } = this.#init;
    while (!signal.aborted) {
      // Refused or timed out: try again.
      const link = await broker.dial(view).catch(() => undefined);
      if (signal.aborted) void link?.close();
      else if (link !== undefined) await this.#serve(link);
      await pause(view, jittered(random, RECONNECT_WAIT_MS, RECONNECT_JITTER), signal);
    }
  }

  async #serve(link: SimBrokerLink): Promise<void> {
    this.#life.abort();
    this.#life = new AbortController();
    this.#link = link;
    void this.#reader.run(link, this.#life.signal);
    await link.closed();
  }
}
