/**
 * Observed events on their way into the log. An event that cannot be written is kept and written later, in order, so that a full disk
 * does not hide a stream from the log. Beyond a bound it is dropped, and the log gets the number of dropped events. Nothing here
 * throws: a failing log never affects the streams.
 */
import type { Clock } from "../base/clock.ts";
import { isFault, isSameFailure, type PartnerdError, toPartnerdError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Store } from "../store/store.ts";
import type { Observation } from "../store/write/own-event-appender.ts";
import { type UnwrittenRow, UnwrittenRows } from "./rows/unwritten-rows.ts";

/** As in UnwrittenRows. */
const MAX_UNWRITTEN = 4_096;
/** How often a failed append is retried if no new event does it first. */
const RETRY_MS = 1_000;

interface OutboxInit {
  readonly store: Pick<Store, "appendObserved" | "appendStart">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called for each failed attempt. */
  readonly onFailed: () => void;
  /** Default 4,096. */
  readonly maxUnwritten?: number;
}

/** Disposing it tries once more to write what is left; nothing, if it was never told to write. */
export class Outbox implements Disposable {
  readonly #init: OutboxInit;
  readonly #unwritten: UnwrittenRows;
  #isWriting = false;
  #retry: Disposable | undefined;
  #failing: PartnerdError | null = null;

  constructor(init: OutboxInit) {
    this.#init = init;
    this.#unwritten = new UnwrittenRows(init.maxUnwritten ?? MAX_UNWRITTEN);
  }

  /** Why the newest append failed; null while appending works. */
  get failing(): PartnerdError | null {
    return this.#failing;
  }

  put(observation: Observation): void {
    const { clock, logger } = this.#init;
    const { dropped } = this.#unwritten;
    this.#unwritten.put(observation, clock.monotonicMs());
    if (dropped === 0 && this.#unwritten.dropped > 0)
      logger.error({ unwritten: this.#unwritten.size }, "event log unwritable and buffer full; dropping repeated failures first");
    this.write();
  }

  [Symbol.dispose](): void {
    if (this.#isWriting) this.write();
    this.#retry?.[Symbol.dispose]();
  }

  /** Writes the start of the run, if it still waits, and then everything that is kept. Retried until it succeeds. */
  write(): void {
    this.#isWriting = true;
    try {
      this.#init.store.appendStart();
    } catch (thrown) {
      this.#failed(toPartnerdError(thrown, "database_failed"));
      return;
    }
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
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
        this.#init.onFailed();
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
    if (this.#next() !== undefined && this.#failing !== null) throw this.#failing;
  }

  #next(): UnwrittenRow | undefined {
    const { clock } = this.#init;
    return this.#unwritten.next(clock.wallMs(), clock.monotonicMs());
  }

  #recovered(): void {
    const { size, dropped } = this.#unwritten;
    if (this.#failing !== null) this.#init.logger.info({ events: size, lost: dropped }, "event log is writable again");
    this.#failing = null;
  }

  /** Logged once per series of failures. */
  #failed(error: PartnerdError): void {
    const { clock, logger, onFailed } = this.#init;
    onFailed();
    const isNew = !isSameFailure(this.#failing, error);
    if (isNew && isFault(error)) logger.fault("log", error);
    else if (isNew)
      logger.error({ error: error.message, nextStep: error.nextStep }, "event log unwritable; keeping events in memory");
    this.#failing = error;
    this.#retry ??= clock.schedule(RETRY_MS, () => {
      this.#retry = undefined;
      this.write();
    });
  }
}

function fieldsOf({ event }: Observation) {
  const attempt = "attempt" in event ? event.attempt : null;
  return { ...(event.peerId !== null && { peerId: event.peerId }), event: event.type, ...(attempt !== null && { attempt }) };
}
