/** A host in the simulated network that serves the partner protocols, with a record of its reports. */

import type { Address, PeerId } from "../../src/base/ids.ts";
import { didOf } from "../../src/base/ids.ts";
import type { ObservedEvent } from "../../src/events/types.ts";
import { NO_CUTS } from "../../src/p2p/budgets/cuts.ts";
import { dialAsGiven } from "../../src/p2p/dial/dial-planner.ts";
import { createGater } from "../../src/p2p/host/gater.ts";
import { createPartnerStreams, type Libp2pPartnerStreams } from "../../src/p2p/partner-streams.ts";
import type { AdmissionPolicy } from "../../src/p2p/registry/admission-policy.ts";
import type { StreamObserver } from "../../src/p2p/registry/registry.ts";
import type { Verdict } from "../../src/reconciler/ports.ts";
import { SimNetwork } from "../../src/sim/network/network.ts";
import { SimNode } from "../../src/sim/network/node.ts";
import { derivedRandom } from "../../src/sim/time/random.ts";
import { type ClockView, VirtualClock } from "../../src/sim/time/virtual-clock.ts";
import { faulted } from "./partner-host.ts";

export interface SimulatedWorld {
  readonly clock: VirtualClock;
  readonly network: SimNetwork;
}

export interface SimulatedHost {
  readonly peerId: PeerId;
  readonly address: Address;
  /** The clock of its machine. */
  readonly view: ClockView;
  readonly node: SimNode;
  readonly streams: Libp2pPartnerStreams;
}

export function simulatedWorld(seed = 1): SimulatedWorld {
  const clock = new VirtualClock();
  return { clock, network: new SimNetwork({ clock, random: derivedRandom(seed, "network"), latencyMs: 5 }) };
}

/** Listens at `address`. */
export async function startSimulatedHost(
  { clock, network }: SimulatedWorld,
  init: {
    readonly peerId: PeerId;
    readonly address: Address;
    readonly admission: AdmissionPolicy;
    readonly observer: StreamObserver;
    readonly seed?: number;
  },
): Promise<SimulatedHost> {
  const { peerId, address, admission, observer, seed = 1 } = init;
  const view = clock.view();
  const node = new SimNode(network, { peerId, clock: view, gater: createGater(admission, observer) });
  const streams = await createPartnerStreams({
    node,
    clock: view,
    random: derivedRandom(seed, peerId),
    dialPlanner: dialAsGiven,
    self: { name: peerId, did: didOf(`did:${peerId}`), peerId },
    admission,
    cuts: NO_CUTS,
    observer,
  });
  network.listen(address, node);
  return { peerId, address, view, node, streams };
}

export interface SimulatedSide extends SimulatedHost {
  readonly events: ObservedEvent[];
  readonly woken: PeerId[];
  setVerdict(verdict: Verdict): void;
}

/** Starts a host with one verdict for all peers. */
export async function startSimulatedSide(world: SimulatedWorld, peerId: PeerId, address: Address): Promise<SimulatedSide> {
  const events: ObservedEvent[] = [];
  const woken: PeerId[] = [];
  let verdict: Verdict = "ok";
  const host = await startSimulatedHost(world, {
    peerId,
    address,
    admission: { verdictOn: () => verdict },
    observer: { observed: (event) => events.push(event), faulted, wake: (woke) => woken.push(woke) },
  });
  const setVerdict = (next: Verdict) => {
    verdict = next;
  };
  return { ...host, events, woken, setVerdict };
}

/** Advances virtual time until `condition` holds. */
export async function virtualEventually(clock: VirtualClock, condition: () => boolean): Promise<void> {
  const untilMs = clock.monotonicMs() + LONGEST_WAIT_MS;
  while (!condition()) {
    if (clock.monotonicMs() > untilMs) throw new Error(`never held: ${condition.toString()}`);
    await clock.advance(STEP_MS);
  }
}

const STEP_MS = 1;
const LONGEST_WAIT_MS = 20_000;
