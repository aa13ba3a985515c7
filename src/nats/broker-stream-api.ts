/** The daemon's requests to JetStream: the state of its stream, one message, and its own consumer. */
import { hash } from "node:crypto";
import { PartnerdError } from "../base/errors.ts";
import type { BrokerStreamState, ConsumerOwner, ConsumerState } from "../ingest/broker/broker-port.ts";
import { nanosecondsOf } from "../ingest/broker/delivery-position.ts";
import { messageHash } from "../store/model/dedupe-key.ts";
import type { ClusterInfo, ConsumerInfo, JetStreamManager, NatsConnection } from "./connection/client.ts";
import { askJetStream, isMissing, unlessMissing } from "./connection/jetstream-error.ts";
import { checkedConsumer, checkedMessage, checkedStream } from "./jetstream-answers.ts";
import { consumerConfig, consumerDifferences, consumerOwner } from "./setup/consumer-config.ts";
import { uncapturedBy } from "./setup/steps.ts";
import { limitsOf, limitsText, streamRefusal } from "./setup/stream-config.ts";

/** The stream to read, our own consumer, and the subjects that the stream should capture. */
export interface StreamNames {
  readonly stream: string;
  readonly consumer: string;
  readonly subjects: readonly string[];
}

/** A healthy JetStream answers within milliseconds. */
const REQUEST_TIMEOUT_MS = 2_000;

/**
 * Every method rejects with `stream_missing`, with `jetstream_malformed` (jetstream-answers.ts), or as described in
 * jetstream-error.ts: `jetstream_unavailable`, `jetstream_leaderless`, `nats_denied`, `jetstream_refused` or `nats_unavailable` (no
 * answer in time, or the connection closed).
 */
export class BrokerStreamApi {
  readonly #stream: string;
  readonly #consumer: string;
  readonly #subjects: readonly string[];
  readonly #manager: Promise<JetStreamManager>;

  constructor(client: NatsConnection, { stream, consumer, subjects }: StreamNames) {
    this.#stream = stream;
    this.#consumer = consumer;
    this.#subjects = subjects;
    // No check of its own: it needs one more permission, and its error says less than that of the first request.
    this.#manager = client.jetstreamManager({ checkAPI: false, timeout: REQUEST_TIMEOUT_MS });
  }

  async state(): Promise<BrokerStreamState> {
    const what = `look at stream ${this.#stream}`;
    const answer = await this.#ask(what, ({ streams }) => streams.info(this.#stream));
    const { created, state, config, cluster } = checkedStream(what, answer);
    const firstSequence = state.messages === 0 ? state.last_seq + 1 : state.first_seq;
    return {
      stream: this.#stream,
      created: String(created),
      firstSequence,
      lastSequence: state.last_seq,
      uncaptured: uncapturedBy(config, this.#subjects),
      refusal: streamRefusal(config, state),
      limits: limitsText(limitsOf(config)),
      leader: leaderOf(cluster),
    };
  }

  /** The hash of the message at `sequence`; undefined if the stream does not hold it. */
  async hashAt(sequence: number): Promise<string | undefined> {
    const message = await unlessMissing(
      "messageNotFound",
      this.#ask(`read message ${sequence} of stream ${this.#stream}`, ({ streams }) =>
        streams.getMessage(this.#stream, { seq: sequence }),
      ),
    );
    const storedAtNs = message && nanosecondsOf(message.timestamp);
    return storedAtNs === undefined ? undefined : messageHash(storedAtNs, hash("sha256", message?.data ?? "", "hex"));
  }

  /** The first sequence, from this one on, that the stream holds; undefined if there is none. */
  async firstHeld(sequence: number): Promise<number | undefined> {
    // The client library knows this form only for direct requests; every nats-server since 2.9 answers it here, too.
    const query = { seq: sequence, next_by_subj: ">" };
    const what = `look for a message of stream ${this.#stream} from ${sequence} on`;
    const message = await unlessMissing(
      "messageNotFound",
      this.#ask(what, ({ streams }) => streams.getMessage(this.#stream, query)),
    );
    return message && checkedMessage(what, message).seq;
  }

  /** Undefined if there is none. */
  async consumer(): Promise<ConsumerState | undefined> {
    const what = `look at ${this.#ofConsumer}`;
    const answer = await unlessMissing(
      "consumerNotFound",
      this.#ask(what, ({ consumers }) => consumers.info(this.#stream, this.#consumer)),
    );
    const found = answer && checkedConsumer(what, answer);
    return (
      found && {
        startSequence: found.config.opt_start_seq ?? 1,
        acknowledged: Math.max(found.ack_floor.stream_seq, (found.config.opt_start_seq ?? 1) - 1),
        owner: consumerOwner(found.config),
        delivered: { consumerSequence: found.delivered.consumer_seq, streamSequence: found.delivered.stream_seq },
        unacknowledged: found.num_ack_pending,
        waitingRequests: found.num_waiting,
        isPaused: isPaused(found),
        isAsRequired: consumerDifferences(found.config).length === 0,
      }
    );
  }

  /** Deletes the consumer, if any, and creates it at `startSequence`. */
  async recreateConsumerAt(startSequence: number, owner: ConsumerOwner): Promise<void> {
    const [stream, consumer] = [this.#stream, this.#consumer];
    await unlessMissing(
      "consumerNotFound",
      this.#ask(`delete ${this.#ofConsumer}`, ({ consumers }) => consumers.delete(stream, consumer)),
    );
    await this.#ask(`create ${this.#ofConsumer}`, ({ consumers }) =>
      consumers.add(stream, consumerConfig(consumer, startSequence, owner)),
    );
  }

  get #ofConsumer(): string {
    return `consumer ${this.#consumer} of stream ${this.#stream}`;
  }

  async #ask<Answer>(what: string, request: (manager: JetStreamManager) => Promise<Answer>): Promise<Answer> {
    try {
      return await askJetStream(what, async () => request(await this.#manager));
    } catch (error) {
      if (!(error instanceof PartnerdError && isMissing("streamNotFound", error.cause))) throw error;
      throw new PartnerdError("stream_missing", `there is no JetStream stream ${this.#stream}`, {
        nextStep: "create it with `oc-partnerd setup`, or set nats.stream to an existing one",
        cause: error.cause,
      });
    }
  }
}

/** The client library does not know the field, which nats-server has since 2.11. */
function isPaused(found: ConsumerInfo & { readonly paused?: boolean }): boolean {
  return found.paused === true;
}

/** The client library does not know `leader_since`, which tells apart two times that a server leads. nats-server 2.15 has it. */
function leaderOf(cluster: (ClusterInfo & { readonly leader_since?: string }) | undefined): string | null {
  const { leader, leader_since: since } = cluster ?? {};
  if (leader === undefined) return null;
  return since === undefined ? leader : `${leader} since ${since}`;
}
