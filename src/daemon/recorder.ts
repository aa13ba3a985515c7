/** What happened becomes a row of the log, a log line, a metric and a wake, in that order and in one place. */
import type { Clock } from "../base/clock.ts";
import { type PartnerdError, toPartnerdError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import type { Logger } from "../base/log.ts";
import type { ObservedEvent } from "../events/types.ts";
import type { Action } from "../reconciler/decide.ts";
import type { ReconcilerObserver } from "../reconciler/options.ts";
import type { Outcome } from "../reconciler/outcome.ts";
import type { LogEntry } from "../store/model/log-entry.ts";
import type { Store } from "../store/store.ts";

/** What is counted of what happened: `Metrics` does it for Prometheus. */
export interface RecorderMetrics {
  readonly actions: Counter<"kind">;
  readonly streamsOpened: Counter<"direction">;
  readonly streamsClosed: Counter<"reason">;
  readonly openFailures: Counter<"reason">;
  readonly inboundRefused: Counter<"reason">;
  readonly resyncFound: Counter<"kind">;
  readonly logFailures: Counter<"kind">;
  readonly establishSeconds: { observe(seconds: number): void };
}

interface Counter<Label extends string> {
  inc(labels: Record<Label, string>): void;
}

export interface RecorderDependencies {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: RecorderMetrics;
  /** Called as soon as something happened, before its row is written. */
  readonly onObserved: (event: ObservedEvent) => void;
  /** Called with every row that this process appends. */
  readonly onLogged: (logged: LogEntry) => void;
}

/** Past this, what happens while the log cannot be written is only counted. */
const MAX_UNWRITTEN = 4_096;
/** How often it is tried again, where nothing happens that would try it. */
const RETRY_MS = 1_000;

interface Unwritten {
  readonly event: ObservedEvent;
  readonly atMs: number;
}

/** Disposing it writes what still can be written. */
export class Recorder implements ReconcilerObserver, Disposable {
  readonly #deps: RecorderDependencies;
  readonly #startedAtMs: number;
  /** The generation whose way from event to stream has been measured, by peer. */
  readonly #measured = new Map<PeerId, number>();
  /** What happened and is not in the log yet, oldest first: a stream must not be missing there because the disk was full. */
  readonly #unwritten: Unwritten[] = [];
  #lost = 0;
  #retry: Disposable | undefined;
  #failing: PartnerdError | null = null;

  constructor(deps: RecorderDependencies) {
    this.#deps = deps;
    this.#startedAtMs = deps.clock.wallMs();
  }

  /** Why the newest append failed; null while appending works. Readiness depends on it, streams do not. */
  get failing(): PartnerdError | null {
    return this.#failing;
  }

  /** At boot: what a crash left open is closed in the log. Returns how many streams that were. Throws where the log cannot be written. */
  closeOrphanedStreams(): number {
    const closed = this.#deps.store.closeOrphanedStreams();
    for (const logged of closed) this.#deps.onLogged(logged);
    return closed.length;
  }

  observed(event: ObservedEvent): void {
    this.#deps.onObserved(event);
    this.#count(event);
    if (this.#unwritten.length < MAX_UNWRITTEN) this.#unwritten.push({ event, atMs: this.#deps.clock.wallMs() });
    else this.#lose(event);
    this.#write();
  }

  [Symbol.dispose](): void {
    this.#write();
    this.#retry?.[Symbol.dispose]();
  }

  /** Never throws: that the log cannot be written is logged once per run of failures, shown by readiness, and never reaches the streams. */
  #write(): void {
    for (let next = this.#unwritten[0]; next !== undefined; next = this.#unwritten[0]) {
      const logged = this.#append(next);
      if (logged === undefined) {
        this.#tryAgain();
        return;
      }
      this.#unwritten.shift();
      if (logged === "repeated" || logged === "suppressed") continue;
      this.#deps.onLogged(logged);
      this.#say(next.event);
    }
  }

  #append({ event, atMs }: Unwritten): LogEntry<ObservedEvent> | "repeated" | "suppressed" | undefined {
    const { store, logger, metrics } = this.#deps;
    try {
      const logged = store.appendObserved(event, atMs);
      if (this.#failing !== null)
        logger.info({ events: this.#unwritten.length, lost: this.#lost }, "the event log can be written again");
      this.#failing = null;
      this.#lost = 0;
      return logged;
    } catch (thrown) {
      const error = toPartnerdError(thrown, "database_failed");
      metrics.logFailures.inc({ kind: "append" });
      if (this.#failing?.message !== error.message)
        logger.error({ error: error.message, nextStep: error.nextStep }, "the event log cannot be written; streams go on");
      this.#failing = error;
      return undefined;
    }
  }

  #tryAgain(): void {
    this.#retry ??= this.#deps.clock.schedule(RETRY_MS, () => {
      this.#retry = undefined;
      this.#write();
    });
  }

  #lose({ peerId, type }: ObservedEvent): void {
    this.#lost += 1;
    if (this.#lost === 1) {
      this.#deps.logger.error(
        { peerId, event: type, unwritten: MAX_UNWRITTEN },
        "the event log cannot be written for too long: from now on what happens is lost to it",
      );
    }
  }

  acted(peerId: PeerId, action: Action): void {
    this.#deps.metrics.actions.inc({ kind: action.kind });
    if (action.kind !== "renew") this.#deps.logger.debug({ peerId, action: action.kind, why: action.why }, "reconciler acts");
  }

  settled(peerId: PeerId, outcome: Outcome): void {
    if (outcome.kind === "terminal")
      this.#deps.logger.warn(
        { peerId, code: outcome.error.code, reason: outcome.error.message },
        "given up until the peer's record changes",
      );
  }

  resyncFound(peerId: PeerId): void {
    this.#deps.metrics.resyncFound.inc({ kind: "key" });
    this.#deps.logger.warn({ peerId }, "the periodic diff found work that nothing had announced");
  }

  #count(event: ObservedEvent): void {
    const { metrics } = this.#deps;
    switch (event.type) {
      case "StreamOpened":
        metrics.streamsOpened.inc({ direction: event.direction });
        if (event.direction === "outbound") this.#measure(event.peerId);
        break;
      case "StreamClosed":
        metrics.streamsClosed.inc({ reason: event.reason });
        break;
      case "OpenFailed":
        metrics.openFailures.inc({ reason: event.reason });
        break;
      case "InboundRefused":
        metrics.inboundRefused.inc({ reason: event.reason });
        break;
    }
  }

  #measure(peerId: PeerId): void {
    const { store, clock, metrics } = this.#deps;
    const desired = store.get(peerId);
    if (desired === undefined || desired.sinceMs < this.#startedAtMs || this.#measured.get(peerId) === desired.generation) return;
    this.#measured.set(peerId, desired.generation);
    metrics.establishSeconds.observe((clock.wallMs() - desired.sinceMs) / 1_000);
  }

  #say(event: ObservedEvent): void {
    const { logger } = this.#deps;
    switch (event.type) {
      case "StreamOpened":
        logger.info({ peerId: event.peerId, direction: event.direction }, "partner stream opened");
        break;
      case "StreamClosed":
        logger.info({ peerId: event.peerId, direction: event.direction, reason: event.reason }, "partner stream closed");
        break;
      case "OpenFailed":
        logger.warn({ peerId: event.peerId, reason: event.reason, error: event.message }, "partner stream could not be opened");
        break;
      case "InboundRefused":
        logger.warn({ peerId: event.peerId, reason: event.reason, error: event.message }, "partner stream of a peer refused");
        break;
    }
  }
}
