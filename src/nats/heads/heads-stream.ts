/** Publishes heads of one log to the stream that keeps them, and reads them back. */
import { PartnerdError } from "../../base/errors.ts";
import { type JetStreamManager, type NatsConnection, NatsError, NatsErrorCode } from "../connection/client.ts";
import { askJetStream, isMissing, unlessMissing } from "../connection/jetstream-error.ts";
import { decodeHead, encodeHead, HEADS_STREAM, headSubjectOf, type PublishedHead } from "./published-head.ts";

const REQUEST_TIMEOUT_MS = 2_000;

/** Requests at the same time while all heads are read. */
const LANES = 16;

/** A message on the subject of a log's heads. */
export interface StoredHead {
  /** Its sequence in the stream. */
  readonly sequence: number;
  /** Null if it is not a head. */
  readonly head: PublishedHead | null;
}

export interface HeadAt extends StoredHead {
  readonly head: PublishedHead;
}

/** How many messages before one are asked for at once. */
const LOOKED_BACK = 64;

/** A query of `$JS.API.STREAM.MSG.GET`; the client library knows `next_by_subj` only for direct requests. */
type Query = { readonly last_by_subj: string } | { readonly seq: number; readonly next_by_subj?: string };

/**
 * Needs no consumer: with the permissions to publish on the subject and to read messages of the stream it works on every nats-server
 * since 2.9. Every method rejects with `stream_missing`, or as described in jetstream-error.ts.
 */
export class HeadsStream {
  readonly #client: NatsConnection;
  readonly #peerId: string;
  readonly #subject: string;
  readonly #manager: Promise<JetStreamManager>;

  constructor(client: NatsConnection, peerId: string) {
    this.#client = client;
    this.#peerId = peerId;
    this.#subject = headSubjectOf(peerId);
    this.#manager = client.jetstreamManager({ checkAPI: false, timeout: REQUEST_TIMEOUT_MS });
  }

  /** Resolves once the stream has stored it. No other stream that captures the subject takes it. */
  async publish(head: Omit<PublishedHead, "peerId">, timeoutMs: number): Promise<void> {
    const text = encodeHead({ ...head, peerId: this.#peerId });
    await this.#ask("publish the head of the log", () =>
      this.#client.jetstream().publish(this.#subject, text, { timeout: timeoutMs, expect: { streamName: HEADS_STREAM } }),
    );
  }

  /** Undefined if there is none. */
  newest(): Promise<StoredHead | undefined> {
    return this.#get({ last_by_subj: this.#subject });
  }

  /** The newest of the 64 messages before `sequence` that is a head, but not of these runs; undefined if there is none. */
  async newestBefore(sequence: number, runs: readonly string[]): Promise<HeadAt | undefined> {
    const earlier = Array.from({ length: Math.min(LOOKED_BACK, sequence - 1) }, (_, index) => sequence - 1 - index);
    const found = await Promise.all(earlier.map((seq) => this.#get({ seq })));
    return found
      .flatMap((stored) => (stored?.head == null ? [] : { ...stored, head: stored.head }))
      .find(({ head }) => !runs.includes(head.run));
  }

  /** When the stream was created, as the broker spells it. */
  async created(): Promise<string> {
    const { created } = await this.#ask("look at the published heads", async () =>
      (await this.#manager).streams.info(HEADS_STREAM),
    );
    return String(created);
  }

  /** Oldest first. */
  async all(): Promise<readonly StoredHead[]> {
    const [oldest, newest] = [await this.#next(1), await this.newest()];
    if (oldest === undefined || newest === undefined) return [];
    const span = Math.ceil((newest.sequence - oldest.sequence + 1) / LANES);
    const lanes = Array.from({ length: LANES }, (_, lane) => {
      const first = oldest.sequence + lane * span;
      return this.#between(first, Math.min(first + span - 1, newest.sequence));
    });
    return (await Promise.all(lanes)).flat();
  }

  async #between(first: number, last: number): Promise<readonly StoredHead[]> {
    const found: StoredHead[] = [];
    for (let sequence = first; sequence <= last; ) {
      const next = await this.#next(sequence);
      if (next === undefined || next.sequence > last) break;
      found.push(next);
      sequence = next.sequence + 1;
    }
    return found;
  }

  #next(sequence: number): Promise<StoredHead | undefined> {
    return this.#get({ seq: sequence, next_by_subj: this.#subject });
  }

  async #get(query: Query): Promise<StoredHead | undefined> {
    const message = await unlessMissing(
      "messageNotFound",
      this.#ask("read published heads", async () => (await this.#manager).streams.getMessage(HEADS_STREAM, query)),
    );
    return message && { sequence: message.seq, head: decodeHead(message.data, this.#peerId) };
  }

  async #ask<Answer>(what: string, request: () => Promise<Answer>): Promise<Answer> {
    try {
      return await askJetStream(what, request);
    } catch (error) {
      if (!(error instanceof PartnerdError && isStreamMissing(error.cause))) throw error;
      throw new PartnerdError("stream_missing", `cannot ${what}: stream ${HEADS_STREAM} is missing, or has no leader`, {
        nextStep: "create it with `oc-partnerd setup`, or set nats.heads to off",
        cause: error.cause,
      });
    }
  }
}

/** Nothing answers what is published on a subject that no stream captures. */
function isStreamMissing(thrown: unknown): boolean {
  if (isMissing("streamNotFound", thrown)) return true;
  return thrown instanceof NatsError && thrown.code === NatsErrorCode.NoResponders && thrown.api_error === undefined;
}
