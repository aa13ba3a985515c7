/** Everything observable about the simulated daemon, and the faults that strike inside it. */
import type { PeerId } from "../../base/ids.ts";
import type { ObservedEvent } from "../../events/types.ts";
import type { CrashPoint } from "../../fixture/format/schema.ts";
import type { ReconcilerObserver } from "../../reconciler/options.ts";
import type { LogEntry } from "../../store/model/log-entry.ts";
import type { ClockView } from "../time/virtual-clock.ts";

export interface DaemonWatcher extends Omit<ReconcilerObserver, "observed"> {
  /** Something happened on the wire, or failed to; its row is written next. */
  observed(event: ObservedEvent): void;
  logged(entry: LogEntry): void;
  operation(peerId: PeerId, kind: "open" | "renew", state: "begun" | "over"): void;
  diffed(): void;
  /** False if a wake gets lost now. */
  mayWake(): boolean;
  /** The daemon has reached this point; throws to end it there. */
  reached(point: CrashPoint): void;
}

/** `watcher`, but deaf to a process that is gone: its promises still settle. */
export function whileRunning(watcher: DaemonWatcher, machine: ClockView): DaemonWatcher {
  const ifRunning = <Parameters extends unknown[]>(tell: (...parameters: Parameters) => void) => {
    return (...parameters: Parameters) => {
      if (!machine.stopped) tell(...parameters);
    };
  };
  return {
    observed: ifRunning((event) => watcher.observed(event)),
    logged: ifRunning((entry) => watcher.logged(entry)),
    acted: ifRunning((peerId, action) => watcher.acted(peerId, action)),
    settled: ifRunning((peerId, outcome) => watcher.settled(peerId, outcome)),
    resyncFound: ifRunning((peerId) => watcher.resyncFound(peerId)),
    operation: ifRunning((peerId, kind, state) => watcher.operation(peerId, kind, state)),
    diffed: ifRunning(() => watcher.diffed()),
    reached: ifRunning((point) => watcher.reached(point)),
    mayWake: () => !machine.stopped && watcher.mayWake(),
  };
}
