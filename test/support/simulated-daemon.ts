/** A reconciler on a simulated host, with a desired state that the test edits and a record of its actions. */

import type { Address, PeerId } from "../../src/base/ids.ts";
import type { DesiredPeer, ObservedEvent } from "../../src/events/types.ts";
import { type AdmissionRule, admissionVerdict } from "../../src/reconciler/admission.ts";
import type { Action } from "../../src/reconciler/decide.ts";
import { DEFAULT_RECONCILER_OPTIONS, type ReconcilerOptions } from "../../src/reconciler/options.ts";
import { Reconciler } from "../../src/reconciler/reconciler.ts";
import { derivedRandom } from "../../src/sim/time/random.ts";
import { RUN } from "./attempts.ts";
import { faulted } from "./partner-host.ts";
import { desiredPeer } from "./peers.ts";
import { type SimulatedHost, type SimulatedWorld, startSimulatedHost } from "./simulated-host.ts";

export interface SimulatedDaemon extends SimulatedHost {
  readonly reconciler: Reconciler;
  readonly events: readonly ObservedEvent[];
  readonly actions: { readonly atMs: number; readonly peerId: PeerId; readonly action: Action }[];
  readonly resyncFound: readonly PeerId[];
  /** Acts like an event that changes the peer: starts a new generation and wakes the peer. */
  desire(peerId: PeerId, change?: Partial<DesiredPeer>, wake?: boolean): void;
  /** The open streams with this peer: "", "out", "in" or "outin". */
  slots(peerId: PeerId): string;
  /** The number of opens started. */
  opens(): number;
}

export async function startSimulatedDaemon(
  world: SimulatedWorld,
  peerId: PeerId,
  address: Address,
  change: Partial<ReconcilerOptions> = {},
): Promise<SimulatedDaemon> {
  const desired = new Map<PeerId, DesiredPeer>();
  const events: ObservedEvent[] = [];
  const actions: { readonly atMs: number; readonly peerId: PeerId; readonly action: Action }[] = [];
  const resyncFound: PeerId[] = [];
  let seq = 0;
  const admissionRule: AdmissionRule = change.admissionRule ?? "unless-revoked";
  const observed = (event: ObservedEvent) => void events.push(event);
  const host = await startSimulatedHost(world, {
    peerId,
    address,
    admission: { verdictOn: (other) => admissionVerdict(desired.get(other), admissionRule) },
    observer: { observed, faulted, wake: (other) => reconciler.wake(other) },
  });
  const { view, streams } = host;
  const reconciler = new Reconciler(
    {
      desired: { get: (other) => desired.get(other), list: () => [...desired.values()] },
      streams,
      clock: view,
      random: derivedRandom(1, `reconciler of ${peerId}`),
      observer: {
        observed,
        acted: (other, action) => actions.push({ atMs: view.monotonicMs(), peerId: other, action }),
        settled: () => {},
        faulted: (other, { error }) => faulted(other, error),
        resyncFound: (other) => resyncFound.push(other),
      },
    },
    { ...DEFAULT_RECONCILER_OPTIONS, run: RUN, protocol: "test", self: peerId, admissionRule, ...change },
  );
  reconciler.start();
  return {
    ...host,
    reconciler,
    events,
    actions,
    resyncFound,
    desire: (other, changed = {}, wake = true) => {
      seq += 1;
      desired.set(other, desiredPeer(other, { desiredSeq: seq, generation: seq, ...changed }));
      if (wake) reconciler.wake(other);
    },
    slots: (other) => {
      const { outbound, inbound: theirs } = streams.actual(other);
      return `${outbound === null ? "" : "out"}${theirs === null ? "" : "in"}`;
    },
    opens: () => actions.filter(({ action }) => action.kind === "open").length,
  };
}
