/** Decorators for the ports of the daemon's core and its partner streams: each behaves like the real part and tells a watcher. */
import type { PartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import type { FaultPart } from "../../base/log.ts";
import type { ObservedEvent } from "../../events/types.ts";
import type { CrashPoint } from "../../fixture/format/schema.ts";
import type { ReconcilerObserver } from "../../reconciler/options.ts";
import type { DesiredPeers, PartnerStreams } from "../../reconciler/ports.ts";
import type { LogEntry } from "../../store/model/log-entry.ts";
import type { SimConnection } from "../network/connection.ts";
import type { SimNetwork } from "../network/network.ts";
import { SimNode, type SimNodeInit } from "../network/node.ts";
import type { ClockView } from "../time/virtual-clock.ts";

/** Only the periodic diff lists all desired peers. */
export function watchedDesiredPeers(desired: DesiredPeers, watcher: DaemonWatcher): DesiredPeers {
  return {
    get: (peerId) => desired.get(peerId),
    list: () => {
      watcher.diffed();
      return desired.list();
    },
  };
}

export function watchedPartnerStreams(streams: PartnerStreams, watcher: DaemonWatcher): PartnerStreams {
  const during = async (peerId: PeerId, kind: "open" | "renew", work: () => Promise<void>): Promise<void> => {
    watcher.operation(peerId, kind, "begun");
    try {
      await work();
    } finally {
      watcher.operation(peerId, kind, "over");
    }
  };
  return {
    actual: (peerId) => streams.actual(peerId),
    peers: () => streams.peers(),
    open: (peer, signal, attempt) => during(peer.peerId, "open", () => streams.open(peer, signal, attempt)),
    renew: (peerId, signal) => during(peerId, "renew", () => streams.renew(peerId, signal)),
    close: (peerId, request) => streams.close(peerId, request),
  };
}

/** Forwards to both observers, the real one first. The watcher is not told `observed`. */
export function watchedObserver(observer: ReconcilerObserver, watcher: DaemonWatcher): ReconcilerObserver {
  return {
    observed: (event) => observer.observed(event),
    acted: (peerId, action, attempt) => {
      observer.acted(peerId, action, attempt);
      watcher.acted(peerId, action, attempt);
    },
    settled: (peerId, outcome) => {
      observer.settled(peerId, outcome);
      watcher.settled(peerId, outcome);
    },
    // Reaches the watcher through the logger.
    faulted: (peerId, fault) => observer.faulted(peerId, fault),
    resyncFound: (peerId) => {
      observer.resyncFound(peerId);
      watcher.resyncFound(peerId);
    },
  };
}

/** A node whose process can crash just before and just after a dial. */
export class WatchedNode extends SimNode {
  readonly #watcher: DaemonWatcher;

  constructor(network: SimNetwork, init: SimNodeInit, watcher: DaemonWatcher) {
    super(network, init);
    this.#watcher = watcher;
  }

  override async dial(...parameters: Parameters<SimNode["dial"]>): Promise<SimConnection> {
    this.#watcher.reached("dialling");
    const connection = await super.dial(...parameters);
    this.#watcher.reached("dialled");
    return connection;
  }
}

/** Sees everything observable about the simulated daemon, and injects faults inside it. */
export interface DaemonWatcher extends Omit<ReconcilerObserver, "observed" | "faulted"> {
  /** Called when something happened on the wire, or failed to, just before its row is written. */
  observed(event: ObservedEvent): void;
  /** A fault of our own. */
  faulted(part: FaultPart, error: PartnerdError): void;
  logged(entry: LogEntry): void;
  operation(peerId: PeerId, kind: "open" | "renew", state: "begun" | "over"): void;
  diffed(): void;
  /** False if a wake is lost now. */
  mayWake(): boolean;
  /** Called when the daemon reaches `point`; throws to end it there. */
  reached(point: CrashPoint): void;
}

/** `watcher`, ignoring a process that is dead: its promises still settle. */
export function whileRunning(watcher: DaemonWatcher, view: ClockView): DaemonWatcher {
  const ifRunning = <Parameters extends unknown[]>(tell: (...parameters: Parameters) => void) => {
    return (...parameters: Parameters) => {
      if (!view.stopped) tell(...parameters);
    };
  };
  return {
    observed: ifRunning((event) => watcher.observed(event)),
    faulted: ifRunning((part, error) => watcher.faulted(part, error)),
    logged: ifRunning((entry) => watcher.logged(entry)),
    acted: ifRunning((peerId, action, attempt) => watcher.acted(peerId, action, attempt)),
    settled: ifRunning((peerId, outcome) => watcher.settled(peerId, outcome)),
    resyncFound: ifRunning((peerId) => watcher.resyncFound(peerId)),
    operation: ifRunning((peerId, kind, state) => watcher.operation(peerId, kind, state)),
    diffed: ifRunning(() => watcher.diffed()),
    reached: ifRunning((point) => watcher.reached(point)),
    mayWake: () => !view.stopped && watcher.mayWake(),
  };
}
