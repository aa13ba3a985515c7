/**
 * Reads a JetStream stream into the log, each message once and in order. The cursor in the log is authoritative: whenever anything
 * unexpected happens, the reader empties the buffer and restarts at the cursor, or before it, where our consumer has not acknowledged.
 */
import type { Clock } from "../../base/clock.ts";
import { isFault, isSameFailure, PartnerdError, toPartnerdError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { pause } from "../../base/pause.ts";
import { isSameStream } from "../../store/model/cursor.ts";
import type { BrokerLink, BrokerStreamState, ConsumerOwner, ConsumerState } from "../broker/broker-port.ts";
import type { IngestBuffer } from "../ingest-buffer.ts";
import { firstToRead, isAtCursor } from "./align.ts";
import { type Aligned, type AlignedLog, alignLog, compareKnown } from "./align-log.ts";
import { Contest } from "./contest.ts";
import { captureProblem, GuaranteeWatch } from "./guarantee-watch.ts";
import { PullWindow } from "./pull-window.ts";
import type { ReadingEnd, Restart } from "./reading-end.ts";
import { type Loop, RestartLoop } from "./restart-loop.ts";
import { type Rereading, Resync } from "./resync.ts";
import { changeBetween, StaleAnswer } from "./stale-answer.ts";
import { StreamReading } from "./stream-reading.ts";

export interface BrokerStreamReaderDependencies {
  readonly stream: string;
  readonly consumer: string;
  readonly log: AlignedLog;
  /** This daemon, as it signs its consumer. */
  readonly owner: ConsumerOwner;
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

const ONE_CONSUMER_EACH = "if this repeats, another program deletes the consumer";

/** A consumer, ready to be read. */
interface Placed extends Aligned {
  readonly found: BrokerStreamState;
  /** The first sequence that it delivers: the one after the cursor, or an earlier one, if messages are read again. */
  readonly start: number;
  /** The number of its next delivery. */
  readonly consumerSequence: number;
}

const STOPPED: Restart = { reason: "stopped" };

export class BrokerStreamReader {
  readonly #deps: BrokerStreamReaderDependencies;
  #reading = false;
  #problem: PartnerdError | null = null;
  #pending: number | null = null;
  #restarts = 0;
  readonly #loop = new RestartLoop();
  readonly #window = new PullWindow();
  readonly #stale = new StaleAnswer(() => this.#deps.clock.monotonicMs());
  readonly #contest: Contest;
  #impairment: PartnerdError | null = null;
  /** Ends the current reading. */
  #interrupt: ((end: ReadingEnd) => void) | undefined;
  readonly #resync = new Resync();

  constructor(deps: BrokerStreamReaderDependencies) {
    this.#deps = deps;
    this.#contest = new Contest(deps.owner);
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

  /** Why messages may not arrive although the stream is read: its subjects, a pause, or another daemon; null if they do. */
  get impairment(): PartnerdError | null {
    return this.#impairment ?? this.#contest.current(this.#deps.clock.monotonicMs());
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
    return this.#resync.progress;
  }

  /** Reads the whole stream again, unless that is under way. Messages already logged are not appended again. */
  resync(): void {
    if (this.#resync.request(this.#deps.log.cursor())) this.#interrupt?.({ reason: "resync" });
  }

  /** Reads until the connection closes or `signal` aborts. Never rejects. */
  async run(link: BrokerLink, signal: AbortSignal): Promise<void> {
    const { clock, logger, stream } = this.#deps;
    const isOver = () => signal.aborted || link.isClosed();
    this.#loop.connected();
    void link.closed().then(() => this.#interrupt?.({ reason: "connection_closed" }));
    link.onDenied((denied) => this.#interrupt?.(denied));
    const interrupt = () => this.#interrupt?.(STOPPED);
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
    const placed = await this.#place(link, isOver);
    if ("reason" in placed) return placed;
    const { buffer, clock } = this.#deps;
    const { found, cursor, hadUpTo, start, consumerSequence } = placed;
    const ended = Promise.withResolvers<ReadingEnd>();
    this.#impairment = captureProblem(found);
    using reading = new StreamReading({
      link,
      cursor,
      hadUpTo,
      window: this.#window.messages,
      consumerSequence,
      start,
      buffer,
      clock,
      onProgress: (pending) => {
        this.#pending = pending;
        this.#window.passed();
      },
      onLogged: (sequence, pending) => this.#hasReread(pending === 0 ? Number.POSITIVE_INFINITY : sequence),
      onEnded: ended.resolve,
    });
    using _watch = this.#watch(link, found, reading, ended.resolve);
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
      this.#ended(end);
    }
  }

  /** Compares the stream with the log, brings the log in line, and creates the consumer at its cursor. */
  async #place(link: BrokerLink, isOver: () => boolean): Promise<Placed | Restart> {
    const { log, buffer, stream, consumer: name, owner, logger } = this.#deps;
    const look = await this.#stale.look(link);
    const { found } = look;
    const known = await compareKnown(link, found, log);
    const consumer = await link.consumer();
    const before = log.cursor();
    const isProven = known === "same" || before === undefined || !isSameStream(found, before);
    const change = isProven ? null : changeBetween(found, await link.state());
    if (change !== null) return change;
    if (isOver()) return STOPPED;
    this.#meetOther(consumer);
    const isRewound = this.#stale.isRewound(look, log.cursor());
    // Buffered messages lie beyond the cursor and are redelivered. From here on nothing else moves the cursor.
    buffer.discard();
    const isTaken = this.#contest.isTaken(consumer);
    const { cursor, hadUpTo } = alignLog(found, known, { consumer, isTaken }, this.#deps);
    const reread = this.#resync.due;
    const start =
      reread !== null
        ? this.#resync.startIn(found, cursor, reread)
        : firstToRead(found, cursor, isTaken ? undefined : consumer, owner);
    const isReread = start <= cursor.sequence;
    const isInPlace = !isReread && !isRewound && reread === null && consumer !== undefined && isAtCursor(consumer, cursor, owner);
    if (!isInPlace) await link.recreateConsumerAt(start, owner);
    this.#contest.placed();
    // If the stream was recreated since we looked, we would read it from the middle and take its messages for those of the old one.
    if (!isInPlace && !isSameStream(await link.state(), found)) return { reason: "stream_recreated" };
    if (isOver()) return STOPPED;
    if (this.#resync.isNewerThan(reread)) return { reason: "resync" };
    this.#resync.began(found, start, reread);
    const pending = found.lastSequence - start + 1;
    logger.info({ stream, consumer: name, sequence: start, pending, rereads: isReread }, "reading stream");
    this.#pending = Math.max(0, pending);
    return { found, cursor, hadUpTo, start, consumerSequence: isInPlace ? consumer.delivered.consumerSequence + 1 : 1 };
  }

  /** Throws while another daemon, which has taken our consumer, may keep it. */
  #meetOther(consumer: ConsumerState | undefined): void {
    const nowMs = this.#deps.clock.monotonicMs();
    this.#contest.looked(consumer, nowMs);
    const { unrecorded } = this.#contest;
    if (unrecorded !== null) {
      this.#deps.log.appendDelivery([unrecorded]);
      this.#contest.recorded(unrecorded);
    }
    const contest = this.#contest.yields(consumer, nowMs) ? this.#contest.current(nowMs) : null;
    if (contest !== null) throw contest;
  }

  #watch(link: BrokerLink, found: BrokerStreamState, reading: StreamReading, onEnded: (end: ReadingEnd) => void): GuaranteeWatch {
    const { clock, owner, logger, stream } = this.#deps;
    return new GuaranteeWatch({
      link,
      clock,
      found,
      owner,
      acknowledged: () => reading.acknowledged,
      onLooked: (problem) => {
        if (problem !== null && problem.code !== this.#impairment?.code)
          logger.error(
            { code: problem.code, error: problem.message, nextStep: problem.nextStep, stream },
            "stream delivers nothing",
          );
        this.#impairment = problem;
      },
      onLimits: (before, after) => logger.warn({ stream, before, after }, "limits of stream changed"),
      onEnded,
    });
  }

  #ended(end: ReadingEnd): void {
    if (this.#pending !== null && this.#pending > 0) this.#window.failed();
    this.#resync.interrupted();
    // A failure before it began to read is a problem of its own.
    if (this.#reading || !(end instanceof PartnerdError)) this.#loop.ended(this.#deps.clock.monotonicMs(), end);
    this.#reading = false;
    this.#pending = null;
    this.#impairment = null;
    this.#interrupt = undefined;
  }

  /** Resolves once the server has processed everything sent before. A denial of any of it would have arrived first. */
  async #answered(link: BrokerLink): Promise<undefined> {
    await link.ping();
    // The client reports a denial a few microtasks later.
    await new Promise<void>((resolve) => this.#deps.clock.schedule(0, resolve));
  }

  #hasReread(sequence: number): void {
    const untilSequence = this.#resync.logged(sequence);
    if (untilSequence !== null) this.#deps.logger.info({ stream: this.#deps.stream, sequence: untilSequence }, "resync finished");
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
    if ((await Promise.race([link.ping().catch(() => "late" as const), late.promise])) === "late") await link.close();
  }
}
