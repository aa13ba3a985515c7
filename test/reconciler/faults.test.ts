/** Faults of the program in the reconciler and in the streams that it calls: each is reported once, from where it was thrown. */
import { beforeEach, describe, expect, it } from "vitest";
import type { DesiredPeer } from "../../src/events/types.ts";
import { DEFAULT_RECONCILER_OPTIONS } from "../../src/reconciler/options.ts";
import type { FaultOutcome } from "../../src/reconciler/outcome.ts";
import type { ActualPeer, PartnerStreams } from "../../src/reconciler/ports.ts";
import { VirtualClock } from "../../src/sim/time/virtual-clock.ts";
import { ATTEMPT, RUN } from "../support/attempts.ts";
import { desiredPeer, NOTHING_OPEN, PEER_B } from "../support/peers.ts";
import { reconcilerOn } from "./support/reconciler-on.ts";

const BUG = new TypeError("a bug");

let clock: VirtualClock;
let faults: FaultOutcome[];
let peer: DesiredPeer;

const reconcilerOf = (streams: Partial<PartnerStreams>, desired: () => readonly DesiredPeer[]) =>
  reconcilerOn(clock, { desired, streams, observer: { faulted: (_, fault) => faults.push(fault) } });

/** Wakes the peer of a reconciler with these streams. */
function wake(streams: Partial<PartnerStreams>): void {
  reconcilerOf(streams, () => [peer]).wake(PEER_B);
}

beforeEach(() => {
  clock = new VirtualClock();
  faults = [];
  peer = desiredPeer(PEER_B);
});

describe("a fault", () => {
  it("of an open is reported from the streams, with the attempt", async () => {
    wake({ open: () => Promise.reject(BUG) });
    await clock.advance(10);
    expect(faults).toMatchObject([{ part: "streams", attempt: `${RUN}.1`, error: { code: "internal_error", cause: BUG } }]);
  });

  it("of a renewal is reported from the streams, with the attempt that opened the stream", async () => {
    const outbound = { openedAtMs: 0, expiresAtMs: 10_000, renewAtMs: 0, attempt: ATTEMPT.id };
    wake({ actual: () => ({ ...NOTHING_OPEN, outbound }), renew: () => Promise.reject(BUG) });
    await clock.advance(10);
    expect(faults).toMatchObject([{ part: "streams", attempt: ATTEMPT.id, error: { cause: BUG } }]);
  });

  it("of the reconciler is its own", async () => {
    const outbound = { openedAtMs: 0, expiresAtMs: 0, renewAtMs: 0, attempt: ATTEMPT.id };
    const close = () => {
      throw BUG;
    };
    wake({ actual: () => ({ ...NOTHING_OPEN, outbound }), close });
    await clock.advance(10);
    expect(faults).toMatchObject([{ part: "reconciler", attempt: null, error: { cause: BUG } }]);
  });

  it("is repeated no more often than twice a second", async () => {
    const outbound = { openedAtMs: 0, expiresAtMs: 10_000, renewAtMs: 0, attempt: ATTEMPT.id };
    wake({ actual: () => ({ ...NOTHING_OPEN, outbound }), renew: () => Promise.reject(BUG) });
    await clock.advance(2_100);
    expect(faults).toHaveLength(5);
  });

  it("of a stranger is forgotten once the stranger is gone, so that the memory is bounded", async () => {
    const inbound = { openedAtMs: 0, expiresAtMs: 0 };
    let actual: ActualPeer = { ...NOTHING_OPEN, inbound };
    const close = () => {
      throw BUG;
    };
    const reconciler = reconcilerOf(
      { actual: () => actual, peers: () => (actual.inbound === null ? [] : [PEER_B]), close },
      () => [],
    );
    reconciler.start();
    await clock.advance(10);
    expect(reconciler.progress(PEER_B)).toMatchObject({ attempts: 1, lastFailure: { message: "a bug" } });
    actual = NOTHING_OPEN;
    await clock.advance(2 * DEFAULT_RECONCILER_OPTIONS.resyncMs);
    expect(reconciler.progress(PEER_B)).toMatchObject({ attempts: 0, lastFailure: null });
    await reconciler.stop();
  });

  it("is reported, too, if the desired state has changed by then", async () => {
    const opening = Promise.withResolvers<void>();
    wake({ open: () => opening.promise });
    await clock.advance(10);
    peer = { ...peer, generation: peer.generation + 1, standing: "revoked" };
    opening.reject(BUG);
    await clock.advance(10);
    expect(faults).toMatchObject([{ part: "streams", attempt: `${RUN}.1` }]);
  });
});
