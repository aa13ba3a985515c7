/**
 * What happened, on its way into the log. An event that cannot be written is kept and written later, in order: a stream must not be
 * missing from the log because the disk was full. Nothing here throws, so a log that fails never reaches the streams.
 */
import type { Clock } from "../base/clock.ts";
import { type PartnerdError, toPartnerdError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { ObservedEvent } from "../events/types.ts";
import type { LogEntry } from "../store/model/log-entry.ts";
import type { Store } from "../store/store.ts";

/** Past this, events are only counted. */
const MAX_UNWRITTEN = 4_096;
/** How often it is tried again, where nothing happens that would try it. */
const RETRY_MS = 1_000;

interface OutboxInit {
  readonly store: Pick<Store, "appendObserved">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called with each new row; not for an event that only repeats one. */
  readonly onWritten: (entry: LogEntry<ObservedEvent>) => void;
  /** Called for each attempt that fails. */
  readonly onFailed: () => void;
}

/** Disposing it writes what still can be written. */
export class Outbox implements Disposable {
  readonly #init: OutboxInit;
  /** Oldest first. */
  readonly #unwritten: { readonly event: ObservedEvent; readonly atMs: number }[] = [];
  #lost = 0;
  #retry: Disposable | undefined;
  #failing: PartnerdError | null = null;

  constructor(init: OutboxInit) {
    this.#init = init;
  }

  /** Why the newest append failed; null while appending works. */
  get failing(): PartnerdError | null {
    return this.#failing;
  }

  put(event: ObservedEvent): void {
    if (this.#unwritten.length < MAX_UNWRITTEN) this.#unwritten.push({ event, atMs: this.#init.clock.wallMs() });
    else this.#lose(event);
    this.#write();
  }

  [Symbol.dispose](): void {
    this.#write();
    this.#retry?.[Symbol.dispose]();
  }

  #write(): void {
    for (let next = this.#unwritten[0]; next !== undefined; next = this.#unwritten[0]) {
      let entry: ReturnType<Store["appendObserved"]>;
      try {
        entry = this.#init.store.appendObserved(next.event, next.atMs);
      } catch (thrown) {
        this.#failed(toPartnerdError(thrown, "database_failed"));
        return;
      }
      this.#recovered();
      this.#unwritten.shift();
      if (entry !== "repeated" && entry !== "suppressed") this.#init.onWritten(entry);
    }
  }

  #recovered(): void {
    if (this.#failing !== null)
      this.#init.logger.info({ events: this.#unwritten.length, lost: this.#lost }, "the event log can be written again");
    this.#failing = null;
    this.#lost = 0;
  }

  /** Logged once per run of failures. */
  #failed(error: PartnerdError): void {
    const { clock, logger, onFailed } = this.#init;
    onFailed();
    if (this.#failing?.message !== error.message)
      logger.error({ error: error.message, nextStep: error.nextStep }, "the event log cannot be written; streams go on");
    this.#failing = error;
    this.#retry ??= clock.schedule(RETRY_MS, () => {
      this.#retry = undefined;
      this.#write();
    });
  }

  #lose({ peerId, type }: ObservedEvent): void {
    this.#lost += 1;
    if (this.#lost > 1) return;
    this.#init.logger.error(
      { peerId, event: type, unwritten: MAX_UNWRITTEN },
      "the event log cannot be written for too long: from now on what happens is lost to it",
    );
  }
}
