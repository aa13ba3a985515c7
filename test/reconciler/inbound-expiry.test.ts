/** The end of an inbound stream's lease while an operation holds the stream's key. */
import { beforeEach, describe, expect, it } from "vitest";
import { PartnerdError } from "../../src/base/errors.ts";
import type { ActualPeer } from "../../src/reconciler/ports.ts";
import type { Reconciler } from "../../src/reconciler/reconciler.ts";
import { VirtualClock } from "../../src/sim/time/virtual-clock.ts";
import { desiredPeer, NOTHING_OPEN, PEER_B } from "../support/peers.ts";
import { reconcilerOn } from "./support/reconciler-on.ts";

let clock: VirtualClock;
let actual: ActualPeer;
/** How often the streams may still be looked at: one that stays open beyond its lease would be looked at for ever. */
let looksLeft: number;
let reconciler: Reconciler;
/** When something was closed, and which streams. */
let closes: unknown[];
/** The actions that were reported, and whether with an attempt. */
let acted: unknown[];

const inboundUntil = (expiresAtMs: number): ActualPeer["inbound"] => ({ openedAtMs: 0, expiresAtMs });
const unanswered = () => new Promise<never>(() => {});
const UNANSWERED = new PartnerdError("timeout", "the peer did not answer");
/** As it is reported. */
const OPEN = ["open", true];
/** The answer to each open. */
let answer: PromiseWithResolvers<void>;

beforeEach(() => {
  [clock, closes, acted, looksLeft] = [new VirtualClock(), [], [], 100];
  answer = Promise.withResolvers();
  actual = { ...NOTHING_OPEN, inbound: inboundUntil(1_000) };
  reconciler = reconcilerOn(clock, {
    desired: () => [desiredPeer(PEER_B)],
    streams: {
      actual: () => (looksLeft-- > 0 ? actual : NOTHING_OPEN),
      open: () => answer.promise,
      renew: unanswered,
      close: (_, { direction, reason }) => {
        closes.push([clock.monotonicMs(), direction, reason]);
        actual = { ...actual, inbound: null };
      },
    },
    observer: { acted: (_, { kind }, attempt) => void acted.push([kind, attempt !== null]) },
  });
});

describe("while an open waits for its answer, an inbound stream", () => {
  beforeEach(() => reconciler.wake(PEER_B));

  it("is closed when its lease ends, and nothing else is done", async () => {
    await clock.advance(4_000);
    expect(closes).toEqual([[1_000, "inbound", "expired"]]);
    expect(acted).toEqual([OPEN, ["close", false]]);
    expect(reconciler.inFlightCount).toBe(1);
  });

  it("stays open as long as heartbeats renew its lease", async () => {
    await clock.advance(500);
    actual = { ...actual, inbound: inboundUntil(2_500) };
    await clock.advance(3_500);
    expect(closes).toEqual([[2_500, "inbound", "expired"]]);
  });

  it("that opens in the meantime is closed on time as well, also after another one was", async () => {
    await clock.advance(1_500);
    actual = { ...actual, inbound: inboundUntil(3_000) };
    reconciler.wake(PEER_B);
    await clock.advance(2_500);
    expect(closes.slice(1)).toEqual([[3_000, "inbound", "expired"]]);
  });

  it("whose lease is over when it is noticed is closed at once", async () => {
    await clock.advance(1_500);
    actual = { ...actual, inbound: inboundUntil(1_400) };
    reconciler.wake(PEER_B);
    await clock.advance(0);
    expect(closes.slice(1)).toEqual([[1_500, "inbound", "expired"]]);
  });

  it("is closed on time during the next open, too, and no timer is left behind", async () => {
    actual = { ...actual, inbound: inboundUntil(4_000) };
    const next = Promise.withResolvers<void>();
    await clock.advance(500);
    answer.reject(UNANSWERED);
    answer = next;
    await clock.advance(3_499);
    expect([acted, closes]).toEqual([[OPEN, OPEN], []]);
    await clock.advance(1);
    expect(closes).toEqual([[4_000, "inbound", "expired"]]);
    actual = { ...actual, inbound: inboundUntil(9_000) };
    reconciler.wake(PEER_B);
    next.reject(UNANSWERED);
    await reconciler.stop();
    expect(clock.pendingTimers).toBe(0);
  });
});

it("an outbound stream whose lease ends with that of the inbound one is left to its renewal", async () => {
  actual = { ...actual, outbound: { openedAtMs: 0, expiresAtMs: 1_000, renewAtMs: 0, attempt: null } };
  reconciler.wake(PEER_B);
  await clock.advance(4_000);
  expect(closes).toEqual([[1_000, "inbound", "expired"]]);
});
