/** Observes the daemon, writes its actions to the trace and passes them on to the invariants. */
import type { PartnerdError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import type { FaultPart } from "../base/log.ts";
import type { LogEvent, ObservedEvent } from "../events/types.ts";
import type { CrashPoint } from "../fixture/format/schema.ts";
import type { Action } from "../reconciler/decide.ts";
import type { Outcome } from "../reconciler/outcome.ts";
import type { LogEntry } from "../store/model/log-entry.ts";
import type { DaemonLifecycle } from "./daemon/daemon-lifecycle.ts";
import type { DaemonWatcher } from "./daemon/decorators.ts";
import type { Invariant } from "./invariants/invariant.ts";
import type { Trace } from "./trace.ts";

export interface WitnessInit {
  readonly trace: Trace;
  readonly lifecycle: DaemonLifecycle;
  readonly nowMs: () => number;
  readonly nameOf: (peerId: PeerId) => string;
  /** A function because the invariants are created after the witness. */
  readonly invariants: () => readonly Invariant[];
}

export class Witness implements DaemonWatcher {
  readonly #init: WitnessInit;
  readonly #observed: ObservedEvent[] = [];

  constructor(init: WitnessInit) {
    this.#init = init;
  }

  /** All observed events of this peer, across all runs of the daemon. */
  observedOf(peerId: PeerId): readonly ObservedEvent[] {
    return this.#observed.filter((event) => event.peerId === peerId);
  }

  logged(entry: LogEntry): void {
    if (isObserved(entry.event)) this.#observed.push(entry.event);
    this.#init.trace.logged(this.#init.nowMs(), entry);
    for (const invariant of this.#init.invariants()) invariant.logged?.(entry);
  }

  observed(event: ObservedEvent): void {
    for (const invariant of this.#init.invariants()) invariant.observed?.(event);
  }

  faulted(part: FaultPart, error: PartnerdError): void {
    for (const invariant of this.#init.invariants()) invariant.faulted?.(part, error);
  }

  acted(peerId: PeerId, action: Action): void {
    this.#init.trace.acted(this.#init.nowMs(), peerId, action);
    for (const invariant of this.#init.invariants()) invariant.acted?.(peerId, action);
  }

  settled(peerId: PeerId, outcome: Outcome): void {
    const { trace, lifecycle, nowMs, invariants } = this.#init;
    const nextMs = outcome.kind === "retry" ? (lifecycle.daemon?.reconciler.progress(peerId).nextAttemptAtMs ?? null) : null;
    trace.settled(nowMs(), peerId, outcome, nextMs === null ? null : nextMs - nowMs());
    for (const invariant of invariants()) invariant.settled?.(peerId, outcome);
  }

  resyncFound(peerId: PeerId): void {
    const { trace, nowMs, nameOf, invariants } = this.#init;
    trace.noted(nowMs(), nameOf(peerId), "found by the periodic diff");
    for (const invariant of invariants()) invariant.resyncFound?.(peerId);
  }

  operation(peerId: PeerId, kind: "open" | "renew", state: "begun" | "over"): void {
    for (const invariant of this.#init.invariants()) invariant.operation?.(peerId, kind, state);
  }

  diffed(): void {
    for (const invariant of this.#init.invariants()) invariant.diffed?.();
  }

  mayWake(): boolean {
    return this.#init.lifecycle.mayWake();
  }

  reached(point: CrashPoint): void {
    this.#init.lifecycle.reached(point);
  }
}

const OBSERVED: Readonly<Record<ObservedEvent["type"], true>> = {
  StreamOpened: true,
  StreamClosed: true,
  OpenFailed: true,
  InboundRefused: true,
};

/** False for the daemon's other rows about a peer, which depend on budgets and settling times. */
function isObserved(event: LogEvent): event is ObservedEvent {
  return event.type in OBSERVED;
}
