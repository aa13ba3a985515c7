/** What the daemon asks of JetStream, and nothing else: its stream's state, one message, and its own consumer. */
import { hash } from "node:crypto";
import { type ConsumerInfo, ErrorCode, type JetStreamManager, type NatsConnection, NatsError } from "nats";
import { PartnerdError } from "../errors.ts";
import { messageHash } from "../store/dedupe-key.ts";
import { describe } from "./dial.ts";
import type { StreamState } from "./stream-alignment.ts";
import { consumerConfig } from "./stream-config.ts";
import { nanosecondsOf } from "./stream-message.ts";

/** JetStream answers within milliseconds, or its server is not well. */
const REQUEST_TIMEOUT_MS = 2_000;

/** https://github.com/nats-io/nats-server/blob/main/server/errors.json */
const API_ERRORS = { streamNotFound: 10_059, consumerNotFound: 10_014, messageNotFound: 10_037 } as const;

/**
 * Every method rejects with `jetstream_unavailable` (the server or the account has none), `stream_missing`, `nats_denied` (names the
 * subject) or `nats_unavailable` (no answer in time, or the connection ended).
 */
export class StreamApi {
  readonly #stream: string;
  readonly #consumer: string;
  readonly #manager: Promise<JetStreamManager>;

  constructor(client: NatsConnection, { stream, consumer }: { readonly stream: string; readonly consumer: string }) {
    this.#stream = stream;
    this.#consumer = consumer;
    // Without its own check, which would need one more permission and tells less than the first request.
    this.#manager = client.jetstreamManager({ checkAPI: false, timeout: REQUEST_TIMEOUT_MS });
  }

  async state(): Promise<StreamState> {
    const { created, state } = await this.#ask("look at the stream", (manager) => manager.streams.info(this.#stream));
    const firstSequence = state.messages === 0 ? state.last_seq + 1 : state.first_seq;
    return { stream: this.#stream, created: String(created), firstSequence, lastSequence: state.last_seq };
  }

  /** The hash of the message at `sequence`; undefined where the stream does not hold it. */
  async hashAt(sequence: number): Promise<string | undefined> {
    try {
      const message = await this.#ask("read a message again", (manager) =>
        manager.streams.getMessage(this.#stream, { seq: sequence }),
      );
      const storedAtNs = nanosecondsOf(message.timestamp);
      return storedAtNs === undefined ? undefined : messageHash(storedAtNs, hash("sha256", message.data, "hex"));
    } catch (error) {
      if (apiErrorOf(error) === API_ERRORS.messageNotFound) return undefined;
      throw error;
    }
  }

  /** Undefined where there is none. */
  async consumer(): Promise<ConsumerInfo | undefined> {
    try {
      return await this.#ask("look at the consumer", (manager) => manager.consumers.info(this.#stream, this.#consumer));
    } catch (error) {
      if (apiErrorOf(error) === API_ERRORS.consumerNotFound) return undefined;
      throw error;
    }
  }

  /** Puts the consumer, whatever there was of it, in front of `startSequence`. */
  async placeConsumer(startSequence: number): Promise<void> {
    try {
      await this.#ask("delete the consumer", (manager) => manager.consumers.delete(this.#stream, this.#consumer));
    } catch (error) {
      if (apiErrorOf(error) !== API_ERRORS.consumerNotFound) throw error;
    }
    await this.#ask("make the consumer", (manager) =>
      manager.consumers.add(this.#stream, consumerConfig(this.#consumer, startSequence)),
    );
  }

  async #ask<Answer>(doing: string, request: (manager: JetStreamManager) => Promise<Answer>): Promise<Answer> {
    try {
      return await request(await this.#manager);
    } catch (thrown) {
      throw this.#problem(doing, thrown);
    }
  }

  #problem(doing: string, thrown: unknown): PartnerdError {
    const stream = this.#stream;
    if (apiErrorOf(thrown) === API_ERRORS.streamNotFound) {
      return new PartnerdError("stream_missing", `there is no JetStream stream ${stream}`, {
        nextStep: "Make it with `oc-partnerd setup`, or name another one with nats.stream.",
        cause: thrown,
      });
    }
    if (thrown instanceof NatsError) {
      if (thrown.code === ErrorCode.JetStreamNotEnabled) {
        return new PartnerdError("jetstream_unavailable", "JetStream is not enabled at the NATS server, or not for this account", {
          nextStep: "Enable it there (`jetstream {}`), or set nats.mode to core, which loses what is published while the daemon is away.",
          cause: thrown,
        });
      }
      const denied = thrown.permissionContext;
      if (denied || thrown.code === ErrorCode.PermissionsViolation) {
        const what = denied ? `${denied.operation} "${denied.subject}"` : thrown.message;
        return new PartnerdError("nats_denied", `cannot ${doing}: the NATS server denies the ${what}`, {
          nextStep: "Give the daemon's user this permission (docs/OPERATING.md lists what it needs).",
          cause: thrown,
        });
      }
    }
    return new PartnerdError("nats_unavailable", `cannot ${doing} of JetStream stream ${stream}: ${describe(thrown)}`, { cause: thrown });
  }
}

function apiErrorOf(error: unknown): number | undefined {
  if (error instanceof NatsError) return error.api_error?.err_code;
  return error instanceof PartnerdError ? apiErrorOf(error.cause) : undefined;
}
