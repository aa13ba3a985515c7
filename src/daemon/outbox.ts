/**
 * Observed events on their way into the log. An event that cannot be written is kept and written later, in order, so that a full disk
 * does not hide a stream from the log. Beyond a bound it is dropped, and the log gets the number of dropped events. Nothing here
 * throws: a failing log never affects the streams.
 */
import type { Clock } from "../base/clock.ts";
import { isFault, PartnerdError, toPartnerdError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { pause } from "../base/pause.ts";
import type { Store } from "../store/store.ts";
import { AppendTrouble } from "../store/write/append-trouble.ts";
import type { Observation } from "../store/write/own-event-appender.ts";
import { type UnwrittenRow, UnwrittenRows } from "./rows/unwritten-rows.ts";

/** As in UnwrittenRows. */
const MAX_UNWRITTEN = 4_096;
/** Every row is fsynced, so many of them would keep the event loop from everything else. */
const TURN_MS = 50;
/** How long `drain` waits for a lock of another process: a part of the two seconds that a stop may take. */
const DRAIN_MS = 300;
const DRAIN_AGAIN_MS = 25;

interface OutboxInit {
  readonly store: Pick<Store, "appendObserved" | "appendStart">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called for each failed attempt. `locked`: another process holds the lock of the database. */
  readonly onFailed: (kind: "append" | "locked") => void;
  /** Default 4,096. */
  readonly maxUnwritten?: number | undefined;
}

/** Disposing it tries once more to write what is left, and reports what it cannot write; nothing, if it was never told to write. */
export class Outbox implements Disposable {
  readonly #init: OutboxInit;
  readonly #unwritten: UnwrittenRows;
  #isWriting = false;
  #retry: Disposable | undefined;
  readonly #trouble = new AppendTrouble();

  constructor(init: OutboxInit) {
    this.#init = init;
    this.#unwritten = new UnwrittenRows(init.maxUnwritten ?? MAX_UNWRITTEN);
  }

  /** Why appending fails; null while it works, or if it has failed only for a moment. */
  get failing(): PartnerdError | null {
    return this.#trouble.reported;
  }

  /** Whether rows wait, or the newest append failed. */
  get isBehind(): boolean {
    return this.#trouble.newest !== null || this.#next() !== undefined;
  }

  put(observation: Observation): void {
    const { clock, logger } = this.#init;
    const { dropped } = this.#unwritten;
    this.#unwritten.put(observation, clock.monotonicMs());
    if (dropped === 0 && this.#unwritten.dropped > 0)
      logger.error({ unwritten: this.#unwritten.size }, "event log unwritable and buffer full; dropping repeated failures first");
    this.write();
  }

  /** Waits a moment for a lock of another process to be released, and writes what is left. */
  async drain(): Promise<void> {
    const { clock } = this.#init;
    const untilMs = clock.monotonicMs() + DRAIN_MS;
    while (this.#isWriting && this.isBehind && clock.monotonicMs() < untilMs) {
      this.write();
      if (this.#trouble.newest !== null && this.#trouble.newest.details.isPassing !== true) return;
      await pause(clock, DRAIN_AGAIN_MS, NEVER);
    }
  }

  [Symbol.dispose](): void {
    if (!this.#isWriting) return;
    do this.write();
    while (this.#trouble.newest === null && this.#next() !== undefined);
    this.#retry?.[Symbol.dispose]();
    const { size, dropped } = this.#unwritten;
    const { newest } = this.#trouble;
    if (newest !== null)
      this.#init.logger.error(
        { events: size + dropped, error: newest.text },
        "could not write the last events to the log; they are lost",
      );
  }

  /**
   * Writes the start of the run, if it still waits, and then everything that is kept. Continues in a later turn if that takes long,
   * and retries until it succeeds.
   */
  write(): void {
    this.#isWriting = true;
    const { clock } = this.#init;
    const untilMs = clock.monotonicMs() + TURN_MS;
    try {
      this.#init.store.appendStart();
    } catch (thrown) {
      this.#failed(toPartnerdError(thrown, "database_failed"));
      return;
    }
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      if (clock.monotonicMs() >= untilMs) {
        this.#retry?.[Symbol.dispose]();
        this.#retry = undefined;
        this.#again(0);
        return;
      }
      try {
        this.#init.store.appendObserved(next.observation);
      } catch (thrown) {
        const error = toPartnerdError(thrown, "database_failed");
        if (!isFault(error)) {
          this.#failed(error);
          return;
        }
        // It would fail again, and hold back every later event.
        this.#unwritten.drop(next);
        this.#init.onFailed("append");
        this.#init.logger.fault("log", error, fieldsOf(next.observation));
        continue;
      }
      this.#recovered();
      this.#unwritten.written(next);
    }
    this.#recovered();
  }

  /** Writes everything that is kept, so that no newer row comes before it. Throws if the log cannot be written. */
  flush(): void {
    if (this.#next() !== undefined) this.write();
    if (this.#next() !== undefined) throw this.#trouble.newest ?? stillWriting();
  }

  #next(): UnwrittenRow | undefined {
    const { clock } = this.#init;
    return this.#unwritten.next(clock.wallMs(), clock.monotonicMs());
  }

  #recovered(): void {
    const { size, dropped } = this.#unwritten;
    if (this.#trouble.succeeded()) this.#init.logger.info({ events: size, lost: dropped }, "event log is writable again");
  }

  /** Logged once per series of failures. */
  #failed(error: PartnerdError): void {
    const { clock, logger, onFailed } = this.#init;
    onFailed(error.details.isPassing === true ? "locked" : "append");
    const { retryMs, reported } = this.#trouble.failed(error, clock.monotonicMs());
    if (reported?.isNew === true && isFault(error)) logger.fault("log", error);
    else if (reported?.isNew === true)
      logger.error({ error: error.message, nextStep: error.nextStep }, "event log unwritable; keeping events in memory");
    this.#again(retryMs);
  }

  #again(delayMs: number): void {
    this.#retry ??= this.#init.clock.schedule(delayMs, () => {
      this.#retry = undefined;
      this.write();
    });
  }
}

const NEVER = new AbortController().signal;

const stillWriting = () =>
  new PartnerdError("database_failed", "earlier events are written first", { details: { isPassing: true } });

function fieldsOf({ event }: Observation) {
  const attempt = "attempt" in event ? event.attempt : null;
  return { ...(event.peerId !== null && { peerId: event.peerId }), event: event.type, ...(attempt !== null && { attempt }) };
}
