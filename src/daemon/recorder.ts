/** Turns an observation into a row of the log, a metric and a log line. */
import type { Clock } from "../base/clock.ts";
import { causeTextOf, isFault, type PartnerdError, toPartnerdError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import type { Logger } from "../base/log.ts";
import { dialability } from "../base/net/tcp-endpoint.ts";
import { RecentMap } from "../base/recent-map.ts";
import type { LearnedFacts } from "../events/learned/learned-facts.ts";
import type { AttemptId, ObservedEvent, PeerDesired } from "../events/types.ts";
import type { Action } from "../reconciler/decide.ts";
import type { ReconcilerObserver } from "../reconciler/options.ts";
import type { FaultOutcome, Outcome } from "../reconciler/outcome.ts";
import type { LogEntry } from "../store/model/log-entry.ts";
import type { Store } from "../store/store.ts";
import type { Observation, Start, StartInit } from "../store/write/own-event-appender.ts";
import { Outbox } from "./outbox.ts";
import { LearnedRows } from "./rows/learned-rows.ts";
import { logRow } from "./rows/log-row.ts";
import { RowBudget } from "./rows/row-budget.ts";

/** Counts observations; `Metrics` implements it for Prometheus. */
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
  /** Called for each observed event, before its row is written. */
  readonly onObserved: (event: ObservedEvent) => void;
  /** How many rows of each kind wait for a log that cannot be written (UnwrittenRows); default as in Outbox. */
  readonly maxUnwritten?: number;
}

/** Bounds the number of partners whose latency from event to stream is being measured. */
const MAX_MEASURED = 16_384;

/** Disposing it writes everything it still can, finally DaemonStopped. */
export class Recorder implements ReconcilerObserver, Disposable {
  readonly #deps: RecorderDependencies;
  readonly #outbox: Outbox;
  readonly #rows: RowBudget;
  readonly #learned: LearnedRows;
  readonly #subscription: Disposable;
  /** The partners with a stream of ours. */
  readonly #established = new Set<PeerId>();
  /** The event that made a peer a partner, and when it was logged (monotonic ms). Removed once its stream is established. */
  readonly #desired = new RecentMap<PeerId, { readonly generation: number; readonly atMs: number }>(MAX_MEASURED);
  #startedAtMs: number | undefined;

  constructor(deps: RecorderDependencies) {
    const { store, clock, logger, metrics, maxUnwritten } = deps;
    this.#deps = deps;
    const onFailed = (kind: "append" | "locked") => metrics.logFailures.inc({ kind });
    this.#outbox = new Outbox({ store, clock, logger, onFailed, maxUnwritten });
    const write = (observation: Observation) => this.#outbox.put(observation);
    this.#rows = new RowBudget({ clock, write });
    this.#learned = new LearnedRows({ clock, store, write, isBehind: () => this.#outbox.isBehind });
    this.#subscription = store.onAppended((entry) => this.#appended(entry));
  }

  /** Why appending fails; null while it works, or if it has failed only for a moment. Readiness depends on it, streams do not. */
  get failing(): PartnerdError | null {
    return this.#outbox.failing;
  }

  /**
   * Registers the start, before anything is opened. It is written before the first row of this run, together with the closes of the
   * streams that a crash left open in the log. A start that fails before it has anything to record leaves no row.
   */
  started(init: StartInit): void {
    const { store, clock } = this.#deps;
    const startedAtMs = clock.monotonicMs();
    store.registerStart(init, (start) => {
      this.#startedAtMs = startedAtMs;
      this.#startAppended(start);
    });
  }

  /** Writes the start, which has succeeded. If the log cannot be written, every append tries it first, and the outbox retries it. */
  running(): void {
    this.#outbox.write();
  }

  #startAppended({ orphans, vocabularyChanged }: Start): void {
    const { logger } = this.#deps;
    if (orphans > 0) logger.warn({ streams: orphans }, "previous run did not shut down cleanly; closed its orphaned streams");
    if (vocabularyChanged)
      logger.warn(
        {
          nextStep:
            "run `oc-partnerd reinterpret --dry-run` to see what the new vocabulary changes; `oc-partnerd reinterpret` applies it",
        },
        "vocabulary changed; events already in the log keep their old meaning",
      );
  }

  observed(event: ObservedEvent): void {
    const { store, clock, onObserved } = this.#deps;
    onObserved(event);
    this.#count(event);
    this.#learned.observed(event);
    const causeSeq = store.get(event.peerId)?.generation ?? null;
    this.#rows.put({ event, atMs: clock.wallMs(), causeSeq });
  }

  /** The log for received messages. It writes earlier observations first, also after the disk was full. */
  get received(): Pick<Store, "appendReceived"> {
    return {
      appendReceived: (batch, position) => {
        this.#outbox.flush();
        return this.#deps.store.appendReceived(batch, position);
      },
    };
  }

  /** An internal error while working on a peer. It is never an event of the peer. */
  faulted(peerId: PeerId, { part, error, attempt }: Pick<FaultOutcome, "part" | "error" | "attempt">): void {
    this.#deps.logger.fault(part, error, { peerId, ...(attempt !== null && { attempt }) });
  }

  /**
   * Takes facts about a peer's program. Only a change gets a row, and only of a partner, or once the peer becomes one. Calls
   * `askAgain` if the answer of identify is dropped before it has a row.
   */
  learned(peerId: PeerId, facts: Partial<LearnedFacts>, askAgain?: () => void): void {
    this.#learned.learned(peerId, facts, askAgain);
  }

  /** Call before disposing it: waits a moment for a lock of another process to be released. */
  drain(): Promise<void> {
    return this.#outbox.drain();
  }

  [Symbol.dispose](): void {
    this.#learned[Symbol.dispose]();
    this.#rows[Symbol.dispose]();
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

  /** The only place where text of libraries and far ends is logged. */
  explained(peerId: PeerId, error: PartnerdError, attempt?: AttemptId): void {
    const cause = causeTextOf(error);
    if (cause === null) return;
    this.#deps.logger.debug({ peerId, code: error.code, cause, ...(attempt !== undefined && { attempt }) }, "cause of a failure");
  }

  settled(peerId: PeerId, outcome: Outcome): void {
    if (outcome.kind !== "terminal" && outcome.kind !== "retry") return;
    const { error, attempt } = outcome;
    this.explained(peerId, error, attempt.id);
    if (outcome.kind === "terminal")
      this.#deps.logger.warn(
        { peerId, code: error.code, error: error.message, attempt: attempt.id },
        "will not dial until the peer's record changes",
      );
  }

  resyncFound(peerId: PeerId): void {
    this.#deps.metrics.resyncFound.inc({ kind: "key" });
    this.#deps.logger.warn({ peerId }, "periodic diff found missed work");
  }

  /** Call last: a DaemonStopped means that nothing is missing before it. */
  #stopped(): void {
    const { store, clock, logger } = this.#deps;
    if (this.#startedAtMs === undefined) return;
    try {
      this.#outbox.flush();
      store.appendStopped(clock.monotonicMs() - this.#startedAtMs);
    } catch (thrown) {
      const { code, message } = toPartnerdError(thrown);
      if (isFault(thrown)) logger.fault("log", thrown);
      logger.warn({ code, error: message }, "could not record the shutdown; the next start will report an unclean one");
    }
  }

  #count(event: ObservedEvent): void {
    const { metrics } = this.#deps;
    switch (event.type) {
      case "StreamOpened":
        metrics.streamsOpened.inc({ direction: event.direction });
        if (event.direction === "outbound") {
          this.#established.add(event.peerId);
          this.#measure(event.peerId);
        }
        break;
      case "StreamClosed":
        metrics.streamsClosed.inc({ reason: event.reason });
        if (event.direction === "outbound") this.#established.delete(event.peerId);
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

  #appended({ seq, event, causeSeq, openedSeq }: LogEntry): void {
    const { store, clock } = this.#deps;
    if (event.type === "PeerDesired" || event.type === "PeerRemoved") this.#rows.named(event.peerId);
    if (event.type === "PeerDesired") this.#learned.named(event.peerId);
    if (event.type === "PeerDesired") this.#saySkipped(seq, event);
    if (event.type !== "PeerDesired")
      logRow(this.#deps.logger, event, { seq, ...(causeSeq !== null && { causeSeq }), ...(openedSeq !== null && { openedSeq }) });
    // A partner with an open stream needs no new one.
    else if (event.standing === "partner" && store.get(event.peerId)?.generation === seq && !this.#established.has(event.peerId))
      this.#desired.set(event.peerId, { generation: seq, atMs: clock.monotonicMs() });
  }

  /** Only if the event changes something: apps repeat their events. */
  #saySkipped(seq: number, { peerId, standing, address }: PeerDesired): void {
    if (standing !== "partner" || address === null || this.#deps.store.get(peerId)?.generation !== seq) return;
    const { skipped } = dialability(address);
    if (skipped.length > 0)
      this.#deps.logger.warn({ seq, peerId, skipped }, "addresses in the record that TCP cannot dial are skipped");
  }
}
