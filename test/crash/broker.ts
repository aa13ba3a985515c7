/** A nats-server with the stream of one lane, and queries about the stream and a consumer. */
import {
  type ConsumerInfo,
  connect,
  type JetStreamManager,
  type NatsConnection,
  NatsError,
  StorageType,
  type StreamInfo,
} from "nats";
import { consumerOwner } from "../../src/nats/setup/consumer-config.ts";
import { CREATE, REMOVE } from "../support/messages.ts";
import { NatsServer } from "../support/nats-server.ts";
import { until } from "../support/until.ts";

const STREAM = "OC_RESOURCES";

export interface StreamMessage {
  readonly sequence: number;
  readonly subject: string;
  readonly bytes: Uint8Array;
}

/** The state of a consumer. */
export interface Acknowledged {
  /** The newest sequence up to which everything is acknowledged. */
  readonly sequence: number;
  /** Whether it has not delivered that far: another daemon's late acknowledgement has moved it. */
  readonly isMoved: boolean;
  /** How many deliveries the consumer has made. */
  readonly deliveries: number;
  /** Creation time; tells consumers of the same name apart. */
  readonly created: string;
  /** The run of the daemon that created it; undefined if none did. */
  readonly run: string | undefined;
}

const CONSUMER_NOT_FOUND = 10_014;
const READ_AHEAD = 4_096;
const SLOW_ANSWER_MS = 20_000;

export class Broker implements AsyncDisposable {
  readonly #server: NatsServer;

  private constructor(server: NatsServer) {
    this.#server = server;
  }

  /** Starts a server whose store is in the directory for temporary files. */
  static async start(): Promise<Broker> {
    const broker = new Broker(await NatsServer.start({ jetStream: true }));
    const config = { name: STREAM, subjects: [CREATE, REMOVE], storage: StorageType.File, no_ack: true };
    await broker.#ask(({ streams }) => streams.add(config));
    return broker;
  }

  get url(): string {
    return this.#server.url;
  }

  get pid(): number {
    return this.#server.pid;
  }

  /** The directory of its store. */
  get directory(): string {
    return this.#server.directory;
  }

  kill(): Promise<void> {
    return this.#server.kill();
  }

  /** Resolves once JetStream answers again. */
  async restart(): Promise<void> {
    await this.#server.start();
    await this.lastSequence();
  }

  async lastSequence(): Promise<number> {
    return (await this.#info()).state.last_seq;
  }

  async created(): Promise<string> {
    return (await this.#info()).created;
  }

  /** Undefined if there is no such consumer. Call this only when no daemon is acknowledging. */
  async acknowledged(consumer: string): Promise<Acknowledged | undefined> {
    const info = await this.#ask(({ consumers }) => unlessMissing(consumers.info(STREAM, consumer)));
    if (info === undefined) return undefined;
    const before = (info.config.opt_start_seq ?? 1) - 1;
    const sequence = Math.max(info.ack_floor.stream_seq, before);
    return {
      sequence,
      isMoved: sequence > Math.max(info.delivered.stream_seq, before),
      deliveries: info.delivered.consumer_seq,
      created: info.created,
      run: consumerOwner(info.config)?.run,
    };
  }

  /** The oldest sequence that the stream holds; one more than the last if it holds none. */
  async firstSequence(): Promise<number> {
    return (await this.#info()).state.first_seq;
  }

  /** Removes the messages up to `sequence` from the stream. */
  async purge(sequence: number): Promise<void> {
    await this.#ask(({ streams }) => streams.purge(STREAM, { seq: sequence + 1 }));
  }

  async deleteConsumer(consumer: string): Promise<void> {
    await this.#ask(({ consumers }) => unlessMissing(consumers.delete(STREAM, consumer)));
  }

  /** Resolves once the server has read everything from the client of this name and has noticed its disconnection. */
  async clientGone(name: string): Promise<void> {
    await until(
      `${name} is gone from the server`,
      async () => !(await this.#server.clients()).some((client) => client.startsWith(name)),
    );
  }

  /** The messages from `first` to `last`, which the stream must hold. Those purged before `last` are left out. */
  async *read(first: number, last: number): AsyncGenerator<StreamMessage> {
    if (first > last) return;
    const client = await connect({ servers: [this.url] });
    try {
      const consumer = await client.jetstream().consumers.get(STREAM, { opt_start_seq: first });
      const messages = await consumer.consume({ max_messages: READ_AHEAD });
      for await (const { seq, subject, data } of messages) {
        yield { sequence: seq, subject, bytes: data };
        if (seq >= last) break;
      }
      await messages.close();
    } finally {
      await client.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }

  #info(): Promise<StreamInfo> {
    return this.#ask(({ streams }) => streams.info(STREAM));
  }

  /** Retries, because a server that has just started may not know its streams yet. */
  async #ask<Answer>(question: (manager: JetStreamManager) => Promise<Answer>): Promise<Answer> {
    let client: NatsConnection | undefined;
    let failure: unknown;
    try {
      client = await connect({ servers: [this.url] });
      const manager = await client.jetstreamManager({ timeout: SLOW_ANSWER_MS });
      const answer = await until(
        "JetStream answers",
        async () => {
          try {
            return { is: await question(manager) };
          } catch (thrown) {
            failure = thrown;
            return undefined;
          }
        },
        SLOW_ANSWER_MS,
      );
      return answer.is;
    } catch (thrown) {
      throw new Error(`the server is not answering: ${String(failure ?? thrown)}`, { cause: failure ?? thrown });
    } finally {
      await client?.close();
    }
  }
}

async function unlessMissing<Answer extends ConsumerInfo | boolean>(asked: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await asked;
  } catch (thrown) {
    if (thrown instanceof NatsError && thrown.api_error?.err_code === CONSUMER_NOT_FOUND) return undefined;
    throw thrown;
  }
}
