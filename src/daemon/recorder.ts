/** What happened becomes a row of the log, a log line, a metric and a wake, in that order and in one place. */
import type { Clock } from "../base/clock.ts";
import { type PartnerdError, stackOf } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import type { Logger } from "../base/log.ts";
import type { ObservedEvent } from "../events/types.ts";
import type { Action } from "../reconciler/decide.ts";
import type { ReconcilerObserver } from "../reconciler/options.ts";
import type { Outcome } from "../reconciler/outcome.ts";
import type { LogEntry } from "../store/model/log-entry.ts";
import type { Store } from "../store/store.ts";
import { Outbox } from "./outbox.ts";

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
  readonly onLogged: (entry: LogEntry) => void;
}

/** Disposing it writes what still can be written. */
export class Recorder implements ReconcilerObserver, Disposable {
  readonly #deps: RecorderDependencies;
  readonly #startedAtMs: number;
  readonly #outbox: Outbox;
  /** The generation whose way from event to stream has been measured, by peer. */
  readonly #measured = new Map<PeerId, number>();

  constructor(deps: RecorderDependencies) {
    const { store, clock, logger, metrics, onLogged } = deps;
    this.#deps = deps;
    this.#startedAtMs = clock.wallMs();
    this.#outbox = new Outbox({
      store,
      clock,
      logger,
      onWritten: (entry) => {
        onLogged(entry);
        this.#say(entry.event);
      },
      onFailed: () => metrics.logFailures.inc({ kind: "append" }),
    });
  }

  /** Why the newest append failed; null while appending works. Readiness depends on it, streams do not. */
  get failing(): PartnerdError | null {
    return this.#outbox.failing;
  }

  /** At boot: what a crash left open is closed in the log. Returns how many streams that were. Throws where the log cannot be written. */
  closeOrphanedStreams(): number {
    const closed = this.#deps.store.closeOrphanedStreams();
    for (const entry of closed) this.#deps.onLogged(entry);
    return closed.length;
  }

  observed(event: ObservedEvent): void {
    this.#deps.onObserved(event);
    this.#count(event);
    this.#outbox.put(event);
  }

  /** A fault of our own while serving this peer. */
  faulted(peerId: PeerId, error: PartnerdError): void {
    this.#deps.logger.error({ peerId, stack: stackOf(error) }, "internal error");
  }

  [Symbol.dispose](): void {
    this.#outbox[Symbol.dispose]();
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
