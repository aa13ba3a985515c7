/**
 * The stream reader's port to a broker connection. nats/nats-link.ts implements it over NATS, the simulator over its own stream;
 * test/contract/broker-link.contract.ts tests both.
 */
import type { PartnerdError } from "../../base/errors.ts";
import type { BrokerStream } from "../../store/model/cursor.ts";

export interface BrokerStreamState extends BrokerStream {
  /** The oldest message that it holds; `lastSequence` + 1 if it holds none. */
  readonly firstSequence: number;
  /** The newest sequence that it has assigned; 0 if none. */
  readonly lastSequence: number;
  /** Those of our subjects that it does not capture, sorted. */
  readonly uncaptured: readonly string[];
  /** Why it stores nothing new although it captures them, as what it is; undefined if it does. The same text as long as it is so. */
  readonly refusal?: string | undefined;
  /** How much it keeps, for people: any change shows. */
  readonly limits: string;
  /** The server of a cluster that answered as its leader, and since when it leads if the broker says so; null if none is named. */
  readonly leader: string | null;
}

/** The daemon that created a consumer: its identity, and its run. */
export interface ConsumerOwner {
  readonly peerId: string;
  readonly run: string;
}

/** A pull consumer. An acknowledgement covers all earlier messages too, since the log takes them in order. */
export interface ConsumerSettings {
  /** The first sequence that it delivers. */
  readonly startSequence: number;
  /** An unacknowledged message is redelivered after this time. */
  readonly ackWaitMs: number;
  /** Deliveries pause while this many messages are unacknowledged. */
  readonly maxUnacknowledged: number;
  readonly owner?: ConsumerOwner;
}

/** Required settings of the consumer, except where it starts. */
export const REQUIRED_CONSUMER = {
  /** Longer than a commit takes. A consumer that falls behind is recreated at the cursor, so redelivery is not needed. */
  ackWaitMs: 30_000,
  /** Several batches of the log, so the broker never waits for the disk. */
  maxUnacknowledged: 4_096,
} as const satisfies Omit<ConsumerSettings, "startSequence" | "owner">;

export interface ConsumerState {
  readonly startSequence: number;
  /** Its newest delivery. The consumer numbers its deliveries from 1; 0 if there was none. */
  readonly delivered: { readonly consumerSequence: number; readonly streamSequence: number };
  /** Delivered messages that are not acknowledged. */
  readonly unacknowledged: number;
  /** Pull requests waiting for messages, including those of dead connections that the broker has not noticed. */
  readonly waitingRequests: number;
  /** The newest acknowledged sequence; one less than the first one that it delivers if there is none. */
  readonly acknowledged: number;
  /** Undefined if no daemon created it. */
  readonly owner: ConsumerOwner | undefined;
  /** An administrator has paused it: it delivers nothing. */
  readonly isPaused: boolean;
  /** Whether its settings meet REQUIRED_CONSUMER. */
  readonly isAsRequired: boolean;
}

export interface BrokerMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  /** Encodes its delivery position (delivery-position.ts); the acknowledgement goes there. */
  readonly reply?: string;
}

export interface PullRequest {
  /** Identifies the request, from 1. */
  readonly number: number;
  /** At most this many messages. */
  readonly messages: number;
  /** The request expires after this time. */
  readonly expiresMs: number;
  /** Interval of the broker's heartbeats while it has nothing to deliver. */
  readonly heartbeatMs: number;
}

/**
 * The broker's status for a pull request. `alive`: an idle heartbeat. `over`: it expired, or there is nothing to deliver.
 * `no_responders`: no server accepts pull requests. `refused`: for another reason, in the broker's words.
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

/** Delivers messages and statuses until it is disposed. */
export interface PullChannel extends Disposable {
  /** Does not report whether the broker has received it. */
  request(request: PullRequest): void;
}

/**
 * One connection, and one consumer of one stream. `state`, `hashAt`, `firstHeld`, `consumer` and `recreateConsumerAt` reject with
 * `stream_missing`, `jetstream_unavailable`, `jetstream_leaderless`, `nats_denied`, `jetstream_refused`, `jetstream_malformed` or
 * `nats_unavailable`: no answer in time, or the connection closed.
 */
export interface BrokerLink {
  state(): Promise<BrokerStreamState>;
  /** The hash of the message at `sequence` (dedupe-key.ts); undefined if the stream does not hold it. */
  hashAt(sequence: number): Promise<string | undefined>;
  /** The first sequence, from this one on, that the stream holds; undefined if there is none. */
  firstHeld(sequence: number): Promise<number | undefined>;
  /** Undefined if there is none. */
  consumer(): Promise<ConsumerState | undefined>;
  /** Deletes the consumer, if any, and creates it at `startSequence`. */
  recreateConsumerAt(startSequence: number, owner: ConsumerOwner): Promise<void>;
  openPull(listener: PullListener): PullChannel;
  /** Acknowledges the message and all before it. Does not report whether the broker has received it. */
  acknowledge(message: BrokerMessage): void;
  /** A round trip: everything sent before has reached the broker. Rejects if the connection closes first. */
  ping(): Promise<void>;
  /** Reports `nats_denied` when the broker denies pulling or acknowledging, neither of which requests a reply. */
  onDenied(listener: (denied: PartnerdError) => void): void;
  isClosed(): boolean;
  /** Resolves when the connection has closed, at either end. */
  closed(): Promise<unknown>;
  close(): Promise<void>;
}
