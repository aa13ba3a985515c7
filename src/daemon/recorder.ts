/** What happened becomes a row of the log, a log line, a metric and a wake, in that order and in one place. */
import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { ObservedEvent } from "../events/types.ts";
import type { PeerId } from "../ids.ts";
import type { Logger } from "../log.ts";
import type { Action } from "../reconciler/decide.ts";
import type { ReconcilerObserver } from "../reconciler/options.ts";
import type { Outcome } from "../reconciler/outcome.ts";
import type { Logged } from "../store/logged.ts";
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
  readonly onLogged: (logged: Logged) => void;
}

export class Recorder implements ReconcilerObserver {
  readonly #deps: RecorderDependencies;
  readonly #startedAtMs: number;
  /** The generation whose way from event to stream has been measured, by peer. */
  readonly #measured = new Map<PeerId, number>();
  #failing: string | null = null;

  constructor(deps: RecorderDependencies) {
    this.#deps = deps;
    this.#startedAtMs = deps.clock.wallMs();
  }

  /** Why the newest append failed; null while appending works. Readiness depends on it, streams do not. */
  get failing(): string | null {
    return this.#failing;
  }

  observed(event: ObservedEvent): void {
    this.#deps.onObserved(event);
    this.#count(event);
    const logged = this.append(() => this.#deps.store.appendObserved(event));
    if (logged === undefined || logged === "repeated" || logged === "suppressed") return;
    this.#deps.onLogged(logged);
    this.#say(event);
  }

  /** Runs one append. A failure is logged once per run of failures, shown by readiness, and never reaches the streams. */
  append<Result>(work: () => Result): Result | undefined {
    try {
      const result = work();
      if (this.#failing !== null) this.#deps.logger.info({}, "the event log can be written again");
      this.#failing = null;
      return result;
    } catch (thrown) {
      const why = messageOf(thrown);
      this.#deps.metrics.logFailures.inc({ kind: "append" });
      if (this.#failing !== why) this.#deps.logger.error({ error: why }, "the event log cannot be written; streams go on");
      this.#failing = why;
      return undefined;
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
