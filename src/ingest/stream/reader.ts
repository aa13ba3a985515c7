/**
 * Reads a JetStream stream into the log, each message once and in order. The cursor in the log is authoritative: whenever anything
 * unexpected happens, the reader empties the buffer and restarts at the cursor.
 */
import type { Clock } from "../../base/clock.ts";
import { isFault, isSameFailure, PartnerdError, toPartnerdError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { pause } from "../../base/pause.ts";
import { type BrokerStream, type Cursor, isSameStream } from "../../store/model/cursor.ts";
import type { Store } from "../../store/store.ts";
import type { IngestBuffer } from "../ingest-buffer.ts";
import { isAtCursor } from "./align.ts";
import { alignLog, lookAtCursor } from "./align-log.ts";
import type { BrokerLink, BrokerStreamState } from "./broker-port.ts";
import { PullWindow } from "./pull-window.ts";
import type { ReadingEnd, Restart } from "./reading-end.ts";
import { type Loop, RestartLoop } from "./restart-loop.ts";
import { StreamReading } from "./stream-reading.ts";

/** Progress of a resync: the log has all up to `sequence`, and it is over at `untilSequence`. */
export interface Rereading {
  readonly sequence: number;
  readonly untilSequence: number;
}

export interface BrokerStreamReaderDependencies {
  readonly stream: string;
  readonly consumer: string;
  readonly log: Pick<Store, "cursor" | "delivery" | "appendDelivery">;
  readonly buffer: Pick<IngestBuffer, "offer" | "discard" | "counts">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Wait before a restart. */
const RESTART_MS = 250;
/** Wait after a failure: nothing there, or the broker is unhealthy. */
const RETRY_MS = 1_000;
/** A connection without an answer to a ping in this time is closed. */
const PING_TIMEOUT_MS = 1_500;

const ONE_CONSUMER_EACH = "if this repeats, another daemon uses the same nats.consumer: give each daemon its own";

const STOPPED: Restart = { reason: "stopped" };

export class BrokerStreamReader {
  readonly #deps: BrokerStreamReaderDependencies;
  #reading = false;
  #problem: PartnerdError | null = null;
  #pending: number | null = null;
  #restarts = 0;
  readonly #loop = new RestartLoop();
  readonly #window = new PullWindow();
  /** Ends the current reading. */
  #interrupt: ((end: ReadingEnd) => void) | undefined;
  /** A resync is running, and the current reading, if any, is not part of it. */
  #rereads = false;
  #rereading: Rereading | null = null;
  /** The stream that `#rereading` is about; null before its first reading. */
  #reread: BrokerStream | null = null;

  constructor(deps: BrokerStreamReaderDependencies) {
    this.#deps = deps;
  }

  /** Whether messages published now will reach the log. */
  get reading(): boolean {
    return this.#reading;
  }

  /** Whether reading ended a moment ago and restarts, without a failure so far and not in a loop. */
  get restarting(): boolean {
    return this.#problem === null && this.#loop.isRestarting(this.#deps.clock.monotonicMs());
  }

  /** Null unless reading restarts again and again; it then reads only for moments. */
  get loop(): Loop | null {
    return this.#loop.current(this.#deps.clock.monotonicMs());
  }

  /** Why they will not; null while they do, and before the first attempt. */
  get problem(): PartnerdError | null {
    return this.#problem;
  }

  /** How many messages of the stream are not yet logged; null if unknown. */
  get behind(): number | null {
    return this.#pending === null ? null : this.#pending + this.#deps.buffer.counts().buffered;
  }

  /** How often reading has restarted while the connection stayed open. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Null unless a resync is running. */
  get rereading(): Rereading | null {
    return this.#rereading;
  }

  /** Reads the whole stream again, unless that is under way. Messages already logged are not appended again. */
  resync(): void {
    // Starting over each time would let a caller keep new messages waiting for ever.
    if (this.#rereading !== null) return;
    this.#rereads = true;
    this.#rereading = { sequence: 0, untilSequence: this.#deps.log.cursor()?.sequence ?? 0 };
    this.#reread = null;
    this.#interrupt?.({ reason: "resync" });
  }

  /** Reads until the connection closes or `signal` aborts. Never rejects. */
  async run(link: BrokerLink, signal: AbortSignal): Promise<void> {
    const { clock, logger, stream } = this.#deps;
    const isOver = () => signal.aborted || link.isClosed();
    this.#loop.connected();
    void link.closed().then(() => this.#interrupt?.({ reason: "connection_closed" }));
    link.onDenied((denied) => this.#interrupt?.(denied));
    const interrupt = () => this.#interrupt?.({ reason: "stopped" });
    signal.addEventListener("abort", interrupt, { once: true });
    while (!isOver()) {
      let waitMs = RESTART_MS;
      try {
        const { reason, facts } = await this.#read(link, isOver);
        if (isOver()) break;
        this.#restarts += 1;
        const nextStep = reason === "consumer_deleted" ? ONE_CONSUMER_EACH : undefined;
        logger.warn({ stream, reason, ...facts, nextStep }, "restarting stream reader at cursor");
      } catch (thrown) {
        if (isOver()) break;
        waitMs = RETRY_MS;
        await this.#failed(toPartnerdError(thrown), link);
      }
      await pause(clock, waitMs, signal);
    }
    signal.removeEventListener("abort", interrupt);
  }

  /** Resolves when reading has to start again; the reason is `stopped` once `isOver`. */
  async #read(link: BrokerLink, isOver: () => boolean): Promise<Restart> {
    const { log, buffer, stream, consumer, clock, logger } = this.#deps;
    const found = await link.state();
    const atCursor = await lookAtCursor(link, found, log.cursor());
    const consumerState = await link.consumer();
    if (isOver()) return STOPPED;
    // Buffered messages lie beyond the cursor and are redelivered. From here on nothing else moves the cursor.
    buffer.discard();
    const cursor = alignLog(found, atCursor, this.#deps);
    const reread = this.#rereads ? this.#rereading : null;
    const rereads = reread !== null;
    const start = rereads ? this.#rereadFrom(found, cursor, reread) : cursor.sequence + 1;
    const isInPlace = !rereads && consumerState !== undefined && isAtCursor(consumerState, cursor);
    if (!isInPlace) await link.recreateConsumerAt(start);
    // If the stream was recreated since we looked, we would read it from the middle and take its messages for those of the old one.
    if (!isInPlace && !isSameStream(await link.state(), found)) return { reason: "stream_recreated" };
    if (isOver()) return STOPPED;
    if (this.#rereads && this.#rereading !== reread) return { reason: "resync" };
    this.#rereads = false;
    if (rereads) this.#reread = found;
    this.#rereading = rereads && found.lastSequence >= start ? { ...reread, sequence: start - 1 } : null;
    logger.info({ stream, consumer, sequence: start, pending: found.lastSequence - start + 1, rereads }, "reading stream");
    this.#pending = Math.max(0, found.lastSequence - start + 1);
    const ended = Promise.withResolvers<ReadingEnd>();
    using _reading = new StreamReading({
      link,
      cursor,
      window: this.#window.messages,
      consumerSequence: isInPlace ? consumerState.delivered.consumerSequence + 1 : 1,
      buffer,
      clock,
      onProgress: (pending) => {
        this.#pending = pending;
        this.#window.passed();
      },
      onLogged: (sequence, pending) => this.#hasReread(pending === 0 ? Number.POSITIVE_INFINITY : sequence),
      onEnded: ended.resolve,
    });
    this.#interrupt = ended.resolve;
    let end: ReadingEnd = STOPPED;
    try {
      const early = await Promise.race([ended.promise, this.#answered(link)]);
      if (early === undefined) {
        this.#problem = null;
        this.#reading = true;
        this.#loop.began(clock.monotonicMs());
      }
      end = isOver() ? STOPPED : (early ?? (await ended.promise));
      if (end instanceof PartnerdError) throw end;
      return end;
    } finally {
      if (this.#pending > 0) this.#window.failed();
      // A resync that is interrupted resumes after the newest message that it logged.
      if (this.#rereading !== null) this.#rereads = true;
      if (this.#reading) this.#loop.ended(clock.monotonicMs(), end);
      this.#reading = false;
      this.#pending = null;
      this.#interrupt = undefined;
    }
  }

  /** Resolves once the server has processed everything sent before. A denial of any of it would have arrived first. */
  async #answered(link: BrokerLink): Promise<undefined> {
    await link.ping();
    // The client reports a denial a few microtasks later.
    await new Promise<void>((resolve) => this.#deps.clock.schedule(0, resolve));
  }

  /** Where a resync starts or resumes. A recreated or rewound stream is read from its start. */
  #rereadFrom(found: BrokerStreamState, cursor: Cursor, { sequence }: Rereading): number {
    const isResumed = this.#reread !== null && isSameStream(found, this.#reread);
    return isResumed ? Math.max(found.firstSequence, Math.min(sequence, cursor.sequence) + 1) : found.firstSequence;
  }

  /** A resync is over at the old cursor or at the end of the stream: limits may have dropped its newest messages. */
  #hasReread(sequence: number): void {
    // The buffer may hold messages of an earlier reading, which are not part of a resync that was requested since.
    if (this.#rereading === null || this.#rereads) return;
    const { untilSequence } = this.#rereading;
    this.#rereading = sequence < untilSequence ? { sequence, untilSequence } : null;
    if (this.#rereading === null)
      this.#deps.logger.info({ stream: this.#deps.stream, sequence: untilSequence }, "resync finished");
  }

  async #failed(error: PartnerdError, link: BrokerLink): Promise<void> {
    const { logger, stream } = this.#deps;
    const isNew = !isSameFailure(this.#problem, error);
    if (isNew && isFault(error)) logger.fault("ingest", error, { stream });
    else if (isNew)
      logger.error({ code: error.code, error: error.message, nextStep: error.nextStep, stream }, "cannot read stream");
    this.#problem = error;
    if (error.code === "nats_unavailable") await this.#closeIfDead(link);
  }

  /** The connection may be half open, or the server frozen; a new connection will tell. */
  async #closeIfDead(link: BrokerLink): Promise<void> {
    const late = Promise.withResolvers<"late">();
    using _limit = this.#deps.clock.schedule(PING_TIMEOUT_MS, () => late.resolve("late"));
    const answer = await Promise.race([link.ping().catch(() => "late" as const), late.promise]);
    if (answer === "late") await link.close();
  }
}
