/**
 * Publishes the head of the log to the stream OC_PARTNERD_HEADS while events are read from a stream: at most once a minute, if it has
 * changed, and when disposed. A failure delays nothing and is only reported (docs/adr/0021-heads-in-nats.md). The heads of other runs
 * show that the log was rolled back, or that another daemon has our identity.
 */
import { isDeepStrictEqual } from "node:util";
import { type Clock, deadline, type Random, repeat } from "../../base/clock.ts";
import { isFault, isSameFailure, PartnerdError, toPartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import type { Logger } from "../../base/log.ts";
import { abortable } from "../../base/pause.ts";
import { isoTime } from "../../base/units.ts";
import type { RunId } from "../../events/types.ts";
import { Contest } from "../../ingest/stream/contest.ts";
import type { NatsConnection } from "../../nats/connection/client.ts";
import type { PersistentConnection } from "../../nats/connection/connection.ts";
import { HeadsStream } from "../../nats/heads/heads-stream.ts";
import { HEADS_STREAM, HEADS_SUBJECT, type PublishedHead } from "../../nats/heads/published-head.ts";
import type { LogHead } from "../../store/model/log-head.ts";
import type { Store } from "../../store/store.ts";

const LOOK_MS = 2_000;
const LOOK_JITTER = 0.2;
const PUBLISH_EVERY_MS = 60_000;
const PUBLISH_WITHIN_MS = 2_000;
/** Of the two seconds that a stop may take. */
const LAST_WITHIN_MS = 300;

interface HeadKeeperInit {
  readonly store: Pick<Store, "head" | "contradictionOf" | "deliveries" | "clonesSeen" | "appendDelivery">;
  readonly connection: Pick<PersistentConnection, "onClient">;
  /** Whether events come from a broker stream. */
  readonly isReading: () => boolean;
  /** This daemon, and its run. */
  readonly peerId: PeerId;
  readonly run: RunId;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface KeptHeadFacts {
  /** The newest head that this run has published; null if none. */
  readonly seq: number | null;
  /** Why the last attempt failed; null if it did not. */
  readonly failing: PartnerdError | null;
  /** Another daemon has published heads with our PeerID lately. */
  readonly cloned: PartnerdError | null;
}

export class HeadKeeper implements AsyncDisposable {
  readonly #init: HeadKeeperInit;
  readonly #clients: Disposable;
  readonly #timer: Disposable;
  readonly #ending = new AbortController();
  readonly #contest: Contest;
  /** Whether the heads of earlier runs have been compared with the log, as far as that is permitted. */
  #isCompared = false;
  #client: NatsConnection | undefined;
  #published: LogHead | null = null;
  #failing: PartnerdError | null = null;
  #triedMs = Number.NEGATIVE_INFINITY;
  #attempt: Promise<void> | null = null;

  constructor(init: HeadKeeperInit) {
    this.#init = init;
    const { peerId, run } = init;
    this.#contest = new Contest({ peerId, run }, { evidence: "published_head", overMs: 3 * PUBLISH_EVERY_MS });
    this.#clients = init.connection.onClient((client) => {
      this.#client = client;
    });
    this.#timer = repeat(init.clock, init.random, LOOK_MS, LOOK_JITTER, () => this.#publishLater());
  }

  facts(): KeptHeadFacts {
    const cloned = this.#contest.current(this.#init.clock.monotonicMs());
    return { seq: this.#published?.seq ?? null, failing: this.#failing, cloned };
  }

  /** Publishes the head a last time, unless that failed before. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer[Symbol.dispose]();
    this.#clients[Symbol.dispose]();
    this.#ending.abort(new Error("the daemon stops"));
    await this.#attempt;
    if (this.#failing === null) await this.#publish(LAST_WITHIN_MS);
  }

  #publishLater(): void {
    if (this.#attempt !== null || this.#init.clock.monotonicMs() - this.#triedMs < PUBLISH_EVERY_MS) return;
    this.#attempt = this.#publish(PUBLISH_WITHIN_MS, this.#ending.signal).finally(() => {
      this.#attempt = null;
    });
  }

  /** Never rejects. */
  async #publish(withinMs: number, signal?: AbortSignal): Promise<void> {
    const { clock, store, peerId, run, isReading } = this.#init;
    const client = this.#client;
    if (client === undefined || client.isClosed() || !isReading()) return;
    try {
      const head = store.head();
      if (head.chainHash === this.#published?.chainHash) return;
      this.#triedMs = clock.monotonicMs();
      using limit = deadline(clock, withinMs, () => late(withinMs), signal);
      const heads = new HeadsStream(client, peerId);
      await abortable(this.#look(heads), limit.signal);
      const message = { run, seq: head.seq, chainHash: head.chainHash, at: isoTime(clock.wallMs()) };
      // The deadline is ours, so that each late answer is the same failure.
      await abortable(heads.publish(message, 2 * withinMs), limit.signal);
      this.#contest.placed();
      this.#succeeded(head);
    } catch (thrown) {
      if (signal?.aborted !== true) this.#failed(toPartnerdError(thrown));
    }
  }

  /** Looks at the newest head before it is followed by ours. The permission to read heads may be missing. */
  async #look(heads: HeadsStream): Promise<void> {
    try {
      const newest = await heads.newest();
      // A message of another program on our subject must not hide the heads before it.
      const found = newest?.head === null ? await heads.newestBefore(newest.sequence, []) : newest;
      if (found?.head != null && found.head.run !== this.#init.run) await this.#met(heads, found.sequence, found.head);
      this.#isCompared = true;
    } catch (thrown) {
      const error = toPartnerdError(thrown);
      if (error.code !== "nats_denied") throw error;
      const { logger } = this.#init;
      if (!this.#isCompared) logger.warn({ error: error.message, nextStep: error.nextStep }, "cannot read heads of earlier runs");
      this.#isCompared = true;
    }
  }

  /** The newest head is of another run: an earlier one at first, that of a clone once we have published. */
  async #met(heads: HeadsStream, sequence: number, head: PublishedHead): Promise<void> {
    const { store, clock, peerId } = this.#init;
    this.#contest.looked({ owner: { peerId, run: head.run }, waitingRequests: 0 }, clock.monotonicMs());
    const { unrecorded } = this.#contest;
    if (unrecorded !== null) {
      store.appendDelivery([unrecorded]);
      this.#contest.recorded(unrecorded);
    }
    if (this.#isCompared) return;
    // The log of a clone says nothing about ours.
    const clones = store.clonesSeen();
    const ours = clones.includes(head.run) ? await heads.newestBefore(sequence, clones) : { sequence, head };
    if (ours === undefined || store.contradictionOf(ours.head) === null) return;
    const place = { stream: HEADS_STREAM, streamCreated: await heads.created() };
    const range = { streamSequence: ours.sequence, lastStreamSequence: ours.sequence };
    // A run that ended before it had published finds the same evidence.
    const isRecorded = store
      .deliveries()
      .some(({ event }) => event.type === "LogRolledBack" && isDeepStrictEqual({ ...event, ...place, ...range }, event));
    if (!isRecorded) store.appendDelivery([{ type: "LogRolledBack", reason: "published_head", ...place, ...range }]);
  }

  #succeeded(head: LogHead): void {
    const { logger } = this.#init;
    if (this.#published === null || this.#failing !== null)
      logger.info({ stream: HEADS_STREAM, seq: head.seq }, "publishing heads of the event log to NATS");
    this.#published = head;
    this.#failing = null;
  }

  /** A failure that repeats is logged once. */
  #failed(error: PartnerdError): void {
    const { logger } = this.#init;
    const isNew = !isSameFailure(this.#failing, error);
    this.#failing = error;
    if (!isNew) return;
    if (isFault(error)) logger.fault("log", error);
    else
      logger.warn(
        { code: error.code, error: error.message, nextStep: error.nextStep },
        "heads of the event log are not published to NATS",
      );
  }
}

function late(withinMs: number): PartnerdError {
  return new PartnerdError("nats_unavailable", `stream ${HEADS_STREAM} did not confirm a head within ${withinMs} ms`, {
    nextStep: `check that JetStream answers, and that no other stream captures ${HEADS_SUBJECT}`,
  });
}
