/** A reconciler on streams that a test makes up, which opens nothing unless the test says so. */
import type { DesiredPeer } from "../../../src/events/types.ts";
import { DEFAULT_RECONCILER_OPTIONS, type ReconcilerObserver } from "../../../src/reconciler/options.ts";
import type { PartnerStreams } from "../../../src/reconciler/ports.ts";
import { Reconciler } from "../../../src/reconciler/reconciler.ts";
import { seededRandom } from "../../../src/sim/time/random.ts";
import type { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { RUN } from "../../support/attempts.ts";
import { NOTHING_OPEN, PEER_A } from "../../support/peers.ts";

interface ReconcilerInit {
  readonly desired: () => readonly DesiredPeer[];
  readonly streams: Partial<PartnerStreams>;
  readonly observer: Partial<ReconcilerObserver>;
}

export function reconcilerOn(clock: VirtualClock, { desired, streams, observer }: ReconcilerInit): Reconciler {
  return new Reconciler(
    {
      clock,
      random: seededRandom(1),
      desired: { get: (peerId) => desired().find((peer) => peer.peerId === peerId), list: desired },
      streams: {
        actual: () => NOTHING_OPEN,
        peers: () => [],
        open: () => Promise.resolve(),
        renew: () => Promise.resolve(),
        close: () => {},
        ...streams,
      },
      observer: {
        observed: () => {},
        acted: () => {},
        settled: () => {},
        faulted: () => {},
        resyncFound: () => {},
        ...observer,
      },
    },
    { ...DEFAULT_RECONCILER_OPTIONS, run: RUN, self: PEER_A, admissionRule: "unless-revoked", protocol: "test" },
  );
}
