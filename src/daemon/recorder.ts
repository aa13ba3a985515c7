/** Turns an observation into a row of the log, a metric and a log line. */
import type { Clock } from "../base/clock.ts";
import { type PartnerdError, stackOf, toPartnerdError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import type { Logger } from "../base/log.ts";
import { RecentMap } from "../base/recent-map.ts";
import type { AttemptId, LogEvent, ObservedEvent } from "../events/types.ts";
import type { Action } from "../reconciler/decide.ts";
import type { ReconcilerObserver } from "../reconciler/options.ts";
import type { Outcome } from "../reconciler/outcome.ts";
import type { LogEntry } from "../store/model/log-entry.ts";
import type { Store } from "../store/store.ts";
import type { StartInit } from "../store/write/observed-appender.ts";
import { Outbox } from "./outbox.ts";

/** Counts observations; `Metrics` implements it for Prometheus. */
export interface RecorderMetrics {
  readonly actions: Counter<"kind">;
  readonly streamsOpened: Counter<"direction">;
  readonly streamsClosed: Counter<"reason">;
  readonly openFailures: Counter<"reason">;
  readonly inboundRefused: Counter<"reason">;
  readonly resyncFound: Counter<"kind">;
  readonly logFailures: Counter<"kind">;
  readonly internalErrors: Counter<"part">;
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
  /** Called for each observed event, before its row is written. */
  readonly onObserved: (event: ObservedEvent) => void;
}

/** Bounds the number of partners whose latency from event to stream is being measured. */
const MAX_MEASURED = 16_384;

/** Disposing it writes everything it still can, finally DaemonStopped. */
export class Recorder implements ReconcilerObserver, Disposable {
  readonly #deps: RecorderDependencies;
  readonly #outbox: Outbox;
  readonly #subscription: Disposable;
  /** The event that made a peer a partner, and when it was logged (monotonic ms). Removed once its stream is established. */
  readonly #desired = new RecentMap<PeerId, { readonly generation: number; readonly atMs: number }>(MAX_MEASURED);
  #startedAtMs: number | undefined;

  constructor(deps: RecorderDependencies) {
    const { store, clock, logger, metrics } = deps;
    this.#deps = deps;
    this.#outbox = new Outbox({ store, clock, logger, onFailed: () => metrics.logFailures.inc({ kind: "append" }) });
    this.#subscription = store.onAppended((entry) => this.#appended(entry));
  }

  /** Why the newest append failed; null while appending works. Readiness depends on it, streams do not. */
  get failing(): PartnerdError | null {
    return this.#outbox.failing;
  }

  /**
   * Records the start, before anything is opened, and closes in the log the streams that a crash left open there. Returns the seq
   * of the start. If the log cannot be written, this is retried until it can, and the returned seq is the one that the start is
   * going to have.
   */
  started(init: StartInit): number {
    const { store, clock } = this.#deps;
    this.#startedAtMs = clock.monotonicMs();
    let run = store.head().seq + 1;
    this.#outbox.start(() => {
      run = this.#appendStart(init);
    });
    return run;
  }

  #appendStart(init: StartInit): number {
    const { store, logger } = this.#deps;
    const { entry, orphans, vocabularyChanged } = store.appendStarted(init);
    if (orphans > 0) logger.warn({ streams: orphans }, "previous run did not shut down cleanly; closed its orphaned streams");
    if (vocabularyChanged)
      logger.warn(
        {
          nextStep:
            "run `oc-partnerd reinterpret --dry-run` to see what the new vocabulary changes; `oc-partnerd reinterpret` applies it",
        },
        "vocabulary changed; events already in the log keep their old meaning",
      );
    return entry.seq;
  }

  observed(event: ObservedEvent): void {
    const { store, clock, onObserved } = this.#deps;
    onObserved(event);
    this.#count(event);
    const causeSeq = store.get(event.peerId)?.generation ?? null;
    this.#outbox.put({ event, atMs: clock.wallMs(), causeSeq });
  }

  /** Records an internal error while working on a peer. It is never an event of the peer. */
  faulted(peerId: PeerId, error: PartnerdError): void {
    const { logger, metrics } = this.#deps;
    metrics.internalErrors.inc({ part: "streams" });
    logger.error({ peerId, code: error.code, error: error.message, stack: stackOf(error) }, "internal error");
  }

  [Symbol.dispose](): void {
    this.#outbox[Symbol.dispose]();
    this.#stopped();
    this.#subscription[Symbol.dispose]();
  }

  acted(peerId: PeerId, action: Action, attempt: AttemptId | null): void {
    this.#deps.metrics.actions.inc({ kind: action.kind });
    if (action.kind === "renew") return;
    const which = attempt === null ? {} : { attempt };
    this.#deps.logger.debug({ peerId, action: action.kind, why: action.why, ...which }, "reconciler acts");
  }

  settled(peerId: PeerId, outcome: Outcome): void {
    switch (outcome.kind) {
      case "terminal": {
        const { error, attempt } = outcome;
        this.#deps.logger.warn(
          { peerId, code: error.code, error: error.message, attempt: attempt.id },
          "will not retry until the peer's record changes",
        );
        break;
      }
      case "fault":
        this.faulted(peerId, outcome.error);
        break;
      case "done":
      case "after":
      case "retry":
        break;
    }
  }

  resyncFound(peerId: PeerId): void {
    this.#deps.metrics.resyncFound.inc({ kind: "key" });
    this.#deps.logger.warn({ peerId }, "periodic diff found missed work");
  }

  /** Call last: a DaemonStopped means that nothing is missing before it. */
  #stopped(): void {
    const { store, clock, logger } = this.#deps;
    if (this.#startedAtMs === undefined || this.failing !== null) return;
    try {
      store.appendStopped(clock.monotonicMs() - this.#startedAtMs);
    } catch (thrown) {
      const { code, message } = toPartnerdError(thrown);
      logger.warn({ code, error: message }, "could not record the shutdown; the next start will report an unclean one");
    }
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
    const desired = this.#desired.get(peerId);
    if (desired === undefined) return;
    this.#desired.delete(peerId);
    if (store.get(peerId)?.generation === desired.generation)
      metrics.establishSeconds.observe((clock.monotonicMs() - desired.atMs) / 1_000);
  }

  #appended({ seq, event, causeSeq }: LogEntry): void {
    const { store, clock } = this.#deps;
    if (event.type !== "PeerDesired") this.#say(event, causeSeq === null ? { seq } : { seq, causeSeq });
    else if (event.standing === "partner" && store.get(event.peerId)?.generation === seq)
      this.#desired.set(event.peerId, { generation: seq, atMs: clock.monotonicMs() });
  }

  /** `row`: the row's seq and its cause, which lead from a log line to the event behind it. */
  #say(event: Exclude<LogEvent, { type: "PeerDesired" }>, row: { readonly seq: number; readonly causeSeq?: number }): void {
    const { logger } = this.#deps;
    switch (event.type) {
      case "StreamOpened": {
        const { peerId, direction, attempt } = event;
        logger.info({ ...row, peerId, direction, ...(attempt && { attempt }) }, "partner stream opened");
        break;
      }
      case "StreamClosed": {
        const { peerId, direction, reason, durationMs } = event;
        logger.info({ ...row, peerId, direction, reason, durationMs }, "partner stream closed");
        break;
      }
      case "OpenFailed": {
        const { peerId, reason, message, attempt, durationMs } = event;
        logger.warn({ ...row, peerId, reason, error: message, attempt, durationMs }, "could not open partner stream");
        break;
      }
      case "InboundRefused":
        logger.warn({ ...row, peerId: event.peerId, reason: event.reason, error: event.message }, "refused inbound stream");
        break;
      case "DeliveryGap": {
        const { type: _, ...gap } = event;
        logger.error({ ...row, ...gap }, "messages are missing from the broker stream");
        break;
      }
      case "DeliveryChanged":
        if (event.reason === "at_least_once")
          logger.info({ ...row, stream: event.stream, fromSequence: event.streamSequence }, "following broker stream");
        break;
      case "PeerRemoved":
      case "EventRejected":
      case "LogArchived":
      case "LogReinterpreted":
      case "DaemonStarted":
      case "DaemonStopped":
        break;
    }
  }
}
