/** Reconcilers on the fake network: each with a desired state in memory that a test edits, and a record of what it did. */
import type { DesiredPeer, ObservedEvent } from "../../src/events/types.ts";
import { type Address, didOf, type PeerId } from "../../src/ids.ts";
import { type Action, type InboundRule, inboundVerdict } from "../../src/reconciler/decide.ts";
import { DEFAULT_RECONCILER_OPTIONS, type ReconcilerOptions } from "../../src/reconciler/options.ts";
import { Reconciler } from "../../src/reconciler/reconciler.ts";
import type { FakeHost } from "./fake-host.ts";
import { FakeNetwork } from "./fake-network.ts";
import { desiredPeer } from "./peers.ts";
import { seededRandom, VirtualClock } from "./virtual-clock.ts";

export class FakeDaemon {
  readonly desired = new Map<PeerId, DesiredPeer>();
  readonly events: ObservedEvent[] = [];
  readonly actions: { readonly atMs: number; readonly peerId: PeerId; readonly action: Action }[] = [];
  readonly resyncFound: PeerId[] = [];
  readonly host: FakeHost;
  readonly reconciler: Reconciler;
  #seq = 0;

  constructor(network: FakeNetwork, peerId: PeerId, address: Address, change: Partial<ReconcilerOptions>) {
    const { clock, random } = network;
    const inbound: InboundRule = change.inbound ?? "unless-revoked";
    const observed = (event: ObservedEvent) => {
      this.events.push(event);
    };
    this.host = network.addHost(address, {
      peerId,
      did: didOf(`did:${peerId}`),
      rule: { mayOpen: (other) => inboundVerdict(this.desired.get(other), inbound) },
      observer: { observed, wake: (other) => this.reconciler.wake(other) },
    });
    this.reconciler = new Reconciler(
      {
        desired: { get: (other) => this.desired.get(other), list: () => [...this.desired.values()] },
        streams: this.host,
        clock,
        random,
        observer: {
          observed,
          acted: (other, action) => this.actions.push({ atMs: clock.monotonicMs(), peerId: other, action }),
          settled: () => {},
          resyncFound: (other) => this.resyncFound.push(other),
        },
      },
      { ...DEFAULT_RECONCILER_OPTIONS, protocol: "test", self: peerId, inbound, ...change },
    );
    this.reconciler.start();
  }

  /** As an event that changes the peer: a new generation, and a wake. */
  desire(peerId: PeerId, change: Partial<DesiredPeer> = {}, wake = true): void {
    this.#seq += 1;
    this.desired.set(peerId, desiredPeer(peerId, { desiredSeq: this.#seq, generation: this.#seq, ...change }));
    if (wake) this.reconciler.wake(peerId);
  }

  streams(peerId: PeerId): string {
    const { outbound, inbound } = this.host.actual(peerId);
    return `${outbound === null ? "" : "out"}${inbound === null ? "" : "in"}`;
  }

  opens(): number {
    return this.actions.filter(({ action }) => action.kind === "open").length;
  }
}

export function fakeWorld(seed = 1) {
  const clock = new VirtualClock();
  const network = new FakeNetwork({ clock, random: seededRandom(seed) });
  return { clock, network };
}
