/**
 * Observed events on their way into the log. An event that cannot be written is kept and written later, in order, so that a full disk
 * does not hide a stream from the log. Nothing here throws: a failing log never affects the streams.
 */
import type { Clock } from "../base/clock.ts";
import { isFault, isSameFailure, type PartnerdError, toPartnerdError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Store } from "../store/store.ts";
import type { Observation } from "../store/write/own-event-appender.ts";

/** Beyond this, events are only counted. */
const MAX_UNWRITTEN = 4_096;
/** How often a failed append is retried if no new event does it first. */
const RETRY_MS = 1_000;

interface OutboxInit {
  readonly store: Pick<Store, "appendObserved" | "appendStart">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called for each failed attempt. */
  readonly onFailed: () => void;
}

/** Disposing it tries once more to write what is left; nothing, if it was never told to write. */
export class Outbox implements Disposable {
  readonly #init: OutboxInit;
  /** Oldest first. */
  readonly #unwritten: Observation[] = [];
  #lost = 0;
  #isWriting = false;
  #retry: Disposable | undefined;
  #failing: PartnerdError | null = null;

  constructor(init: OutboxInit) {
    this.#init = init;
  }

  /** Why the newest append failed; null while appending works. */
  get failing(): PartnerdError | null {
    return this.#failing;
  }

  put(observation: Observation): void {
    if (this.#unwritten.length < MAX_UNWRITTEN) this.#unwritten.push(observation);
    else this.#lose(observation);
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
    for (let next = this.#unwritten[0]; next !== undefined; next = this.#unwritten[0]) {
      try {
        this.#init.store.appendObserved(next);
      } catch (thrown) {
        const error = toPartnerdError(thrown, "database_failed");
        if (!isFault(error)) {
          this.#failed(error);
          return;
        }
        // It would fail again, and hold back every later event.
        this.#drop(next, error);
        this.#unwritten.shift();
        continue;
      }
      this.#recovered();
      this.#unwritten.shift();
    }
    this.#recovered();
  }

  /** Writes everything that is kept, so that no newer row comes before it. Throws if the log cannot be written. */
  flush(): void {
    if (this.#unwritten.length > 0) this.write();
    if (this.#unwritten.length > 0 && this.#failing !== null) throw this.#failing;
  }

  #recovered(): void {
    if (this.#failing !== null)
      this.#init.logger.info({ events: this.#unwritten.length, lost: this.#lost }, "event log is writable again");
    this.#failing = null;
    this.#lost = 0;
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

  #drop(observation: Observation, fault: PartnerdError): void {
    this.#init.onFailed();
    this.#init.logger.fault("log", fault, fieldsOf(observation));
  }

  #lose(observation: Observation): void {
    this.#lost += 1;
    if (this.#lost > 1) return;
    this.#init.logger.error(
      { ...fieldsOf(observation), unwritten: MAX_UNWRITTEN },
      "event log unwritable and buffer full; further events will not be recorded",
    );
  }
}

function fieldsOf({ event }: Observation) {
  const attempt = "attempt" in event ? event.attempt : null;
  return { ...(event.peerId !== null && { peerId: event.peerId }), event: event.type, ...(attempt !== null && { attempt }) };
}
