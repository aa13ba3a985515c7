/**
 * What reading a stream needs of a connection to its broker, and nothing else. nats-link.ts has it over NATS, the simulator over a stream of
 * its own; test/contract/stream-link.contract.ts tells what both hold to.
 */
import type { ConsumerConfig, ConsumerInfo, Msg } from "nats";
import type { PartnerdError } from "../../base/errors.ts";
import type { StreamState } from "./align.ts";

/** Where a consumer stands, and how it is configured. */
export type ConsumerState = {
  readonly delivered: Pick<ConsumerInfo["delivered"], "consumer_seq" | "stream_seq">;
  readonly config: Partial<ConsumerConfig>;
} & Readonly<Pick<ConsumerInfo, "num_ack_pending" | "num_waiting">>;

/** `reply` tells its place in the stream (stream-message.ts), and is where it is acknowledged. */
export type StreamMessage = Pick<Msg, "subject" | "data" | "reply">;

export interface PullRequest {
  /** Told apart by this; 1 and more. */
  readonly number: number;
  /** At most so many. */
  readonly messages: number;
  /** After so long it ends by itself. */
  readonly expiresMs: number;
  /** The broker gives a sign of life so often while it has nothing to deliver. */
  readonly heartbeatMs: number;
}

export interface PullListener {
  message(message: StreamMessage): void;
  /** Of a request, as HTTP would say it: 100 a sign of life; 404, 408: it is over; 409: it is refused; 503: nobody takes requests. */
  status(requestNumber: number, code: number, description: string): void;
  /** Nothing can be heard on it any more. */
  failed(reason: string): void;
}

/** Where messages come in. What was asked for does not come any more once it is disposed. */
export interface PullChannel extends Disposable {
  /** Nothing tells whether the broker has got it. */
  request(request: PullRequest): void;
}

/**
 * One connection, and one consumer of one stream. `state`, `hashAt`, `consumer` and `recreateConsumerAt` reject with `stream_missing`,
 * `jetstream_unavailable`, `nats_denied`, `jetstream_refused` or `nats_unavailable` (no answer in time, or the connection ended).
 */
export interface StreamLink {
  state(): Promise<StreamState>;
  /** The hash of the message at `sequence` (dedupe-key.ts); undefined where the stream does not hold it. */
  hashAt(sequence: number): Promise<string | undefined>;
  /** Undefined where there is none. */
  consumer(): Promise<ConsumerState | undefined>;
  /** Puts the consumer, whatever there was of it, in front of `startSequence`. */
  recreateConsumerAt(startSequence: number): Promise<void>;
  openPull(listener: PullListener): PullChannel;
  /** Of the message and all before it. Nothing tells whether the broker has got it. */
  acknowledge(message: StreamMessage): void;
  /** A round trip: everything sent before has reached the broker. Rejects when the connection ends first. */
  ping(): Promise<void>;
  /** Calls back with `nats_denied` when the broker denies pulling or acknowledging, which ask for no answer. */
  onDenied(listener: (denied: PartnerdError) => void): void;
  isClosed(): boolean;
  /** Resolves when the connection has ended, whoever ended it. */
  closed(): Promise<unknown>;
  close(): Promise<void>;
}
