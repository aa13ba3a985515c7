/**
 * What reading a stream needs of a connection to its broker, and nothing else. nats/nats-link.ts implements it over NATS, the simulator
 * over a stream of its own; test/contract/broker-link.contract.ts tests both.
 */
import type { PartnerdError } from "../../base/errors.ts";
import type { BrokerStream } from "../../store/model/cursor.ts";

export interface BrokerStreamState extends BrokerStream {
  /** The oldest message that it holds; one more than `lastSequence` where it holds none. */
  readonly firstSequence: number;
  /** The newest sequence that it gave; 0 where it gave none. */
  readonly lastSequence: number;
}

/** A consumer that is pulled from. One acknowledgement counts for all messages before it: the log takes them in order. */
export interface ConsumerSettings {
  /** It delivers the stream from here on. */
  readonly startSequence: number;
  /** A message that is not acknowledged for this long is delivered again. */
  readonly ackWaitMs: number;
  /** It delivers no more while so many are not acknowledged. */
  readonly maxUnacknowledged: number;
}

/** What reading needs of its consumer, wherever that starts. */
export const REQUIRED_CONSUMER = {
  /** Longer than a commit may take; a consumer that falls behind is recreated at the log's cursor, not redelivered to. */
  ackWaitMs: 30_000,
  /** More than a few batches of the log, so that the broker never waits for the disk. */
  maxUnacknowledged: 4_096,
} as const satisfies Omit<ConsumerSettings, "startSequence">;

export interface ConsumerState {
  readonly startSequence: number;
  /** Its newest delivery. The consumer numbers its deliveries from 1; 0 where there was none. */
  readonly delivered: { readonly consumerSequence: number; readonly streamSequence: number };
  /** Messages that were delivered and are not acknowledged. */
  readonly unacknowledged: number;
  /** Requests that wait for messages, those of connections that only the broker believes in included. */
  readonly waitingRequests: number;
  /** Whether its settings allow what REQUIRED_CONSUMER asks for. */
  readonly isAsRequired: boolean;
}

export interface BrokerMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  /** Tells its place in the stream (delivery-position.ts), and is where it is acknowledged. */
  readonly reply?: string;
}

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

/**
 * What the broker says of a pull request. `alive`: an idle heartbeat. `over`: it expired, or there is nothing to deliver. `no_responders`:
 * nothing takes pull requests. `refused`: for another reason, in the broker's words.
 */
export type PullStatus =
  | { readonly kind: "alive" | "over" | "consumer_deleted" | "no_responders" }
  | { readonly kind: "refused"; readonly code: number; readonly description: string };

export interface PullListener {
  message(message: BrokerMessage): void;
  status(requestNumber: number, status: PullStatus): void;
  /** The channel is broken: nothing more will arrive. `error` is for the log. */
  failed(error: string): void;
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
export interface BrokerLink {
  state(): Promise<BrokerStreamState>;
  /** The hash of the message at `sequence` (dedupe-key.ts); undefined where the stream does not hold it. */
  hashAt(sequence: number): Promise<string | undefined>;
  /** Undefined where there is none. */
  consumer(): Promise<ConsumerState | undefined>;
  /** Puts the consumer, whatever there was of it, in front of `startSequence`. */
  recreateConsumerAt(startSequence: number): Promise<void>;
  openPull(listener: PullListener): PullChannel;
  /** Of the message and all before it. Nothing tells whether the broker has got it. */
  acknowledge(message: BrokerMessage): void;
  /** A round trip: everything sent before has reached the broker. Rejects when the connection ends first. */
  ping(): Promise<void>;
  /** Calls back with `nats_denied` when the broker denies pulling or acknowledging, which ask for no answer. */
  onDenied(listener: (denied: PartnerdError) => void): void;
  isClosed(): boolean;
  /** Resolves when the connection has ended, whoever ended it. */
  closed(): Promise<unknown>;
  close(): Promise<void>;
}
