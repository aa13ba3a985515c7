import { beforeEach, describe, expect, test } from "vitest";
import type { Address } from "../../src/base/ids.ts";
import type { ReconcilerOptions } from "../../src/reconciler/options.ts";
import type { SimNetwork } from "../../src/sim/network/network.ts";
import { SimNode } from "../../src/sim/network/node.ts";
import type { VirtualClock } from "../../src/sim/time/virtual-clock.ts";
import { PEER_A, PEER_B, PEER_C } from "../support/peers.ts";
import { type SimulatedDaemon, startSimulatedDaemon } from "../support/simulated-daemon.ts";
import { simulatedWorld } from "../support/simulated-host.ts";

const ADDRESS_A = `/ip4/10.0.0.1/tcp/4001/p2p/${PEER_A}` as Address;
const ADDRESS_B = `/ip4/10.0.0.2/tcp/4001/p2p/${PEER_B}` as Address;

let clock: VirtualClock;
let network: SimNetwork;
let a: SimulatedDaemon;
let b: SimulatedDaemon;

async function startBoth(change: Partial<ReconcilerOptions> = {}): Promise<void> {
  const world = simulatedWorld();
  ({ clock, network } = world);
  a = await startSimulatedDaemon(world, PEER_A, ADDRESS_A, change);
  b = await startSimulatedDaemon(world, PEER_B, ADDRESS_B, change);
}

/** Adds a listener that never answers. */
function addSilentListener(address: Address): void {
  const node = new SimNode(network, { peerId: PEER_C, clock: clock.view() });
  node.answers = "never";
  network.listen(address, node);
}

beforeEach(() => startBoth());

const partnerB = { address: ADDRESS_B } as const;

async function established(): Promise<void> {
  a.desire(PEER_B, partnerB);
  await clock.advance(1_000);
  expect([a.slots(PEER_B), b.slots(PEER_A)]).toEqual(["out", "in"]);
}

describe("a desired partner", () => {
  test("is opened at once by its event's wake, not by the next diff", async () => {
    await clock.advance(60_000);
    a.desire(PEER_B, partnerB);
    await clock.advance(200);
    expect(a.slots(PEER_B)).toBe("out");
    expect(a.resyncFound).toEqual([]);
  });

  test("is renewed while it is desired, and causes no other action", async () => {
    await established();
    a.actions.length = 0;
    await clock.advance(600_000);
    expect([a.slots(PEER_B), b.slots(PEER_A)]).toEqual(["out", "in"]);
    expect(new Set(a.actions.map(({ action }) => action.kind))).toEqual(new Set(["renew"]));
    expect(a.actions.length).toBeGreaterThan(600_000 / 3_600 - 1);
    expect(a.actions.length).toBeLessThan(600_000 / 2_400 + 1);
    expect(a.events.map(({ type }) => type)).toEqual(["StreamOpened"]);
  });

  test("whose wake was lost is found by the diff, which reports it", async () => {
    a.desire(PEER_B, partnerB, false);
    await clock.advance(7_000);
    expect(a.slots(PEER_B)).toBe("out");
    expect(a.resyncFound).toEqual([PEER_B]);
  });

  test("at both ends gives two streams at each", async () => {
    a.desire(PEER_B, partnerB);
    b.desire(PEER_A, { address: ADDRESS_A });
    await clock.advance(5_000);
    expect([a.slots(PEER_B), b.slots(PEER_A)]).toEqual(["outin", "outin"]);
  });
});

describe("a partner that cannot be dialled", () => {
  const QUIC = `/ip4/10.0.0.2/udp/4001/quic-v1/p2p/${PEER_B}` as Address;

  test("is opened once it dials us, again after each loss, and fails once a second at most", async () => {
    a.desire(PEER_B, { address: QUIC });
    await clock.advance(60_000);
    expect(a.slots(PEER_B)).toBe("");
    const message = expect.stringMatching(/; publish an address like .*<PeerID>$/) as string;
    expect(a.events).toMatchObject([{ type: "OpenFailed", reason: "address_unsupported", message }]);
    b.desire(PEER_A, { address: ADDRESS_A });
    await clock.advance(2_000);
    expect(a.slots(PEER_B)).toBe("outin");
    for (const connection of b.node.getConnections()) connection.abort(new Error("lost"));
    await clock.advance(10_000);
    expect(a.slots(PEER_B)).toBe("outin");
    expect(a.resyncFound).toEqual([]);
  });

  test("keeps its stream when its record changes to such an address", async () => {
    await established();
    a.desire(PEER_B, { address: QUIC, generation: 2 });
    await clock.advance(60_000);
    expect(a.slots(PEER_B)).toBe("out");
  });
});

describe("a peer that is revoked", () => {
  test.each(["revoked", "blacklisted"] as const)(
    "loses its streams within a second, and gets none back (%s)",
    async (standing) => {
      await established();
      b.desire(PEER_A, { address: ADDRESS_A });
      await clock.advance(1_000);
      a.desire(PEER_B, { ...partnerB, standing });
      await clock.advance(1_000);
      expect([a.slots(PEER_B), b.slots(PEER_A)]).toEqual(["", ""]);
      await clock.advance(300_000);
      expect([a.slots(PEER_B), b.slots(PEER_A)]).toEqual(["", ""]);
      expect(b.opens()).toBeGreaterThan(5);
    },
  );

  test("while being dialled gets no stream", async () => {
    b.view.pause();
    a.desire(PEER_B, partnerB);
    await clock.advance(1_000);
    a.desire(PEER_B, { ...partnerB, standing: "revoked" });
    b.view.resume();
    await clock.advance(30_000);
    expect(a.slots(PEER_B)).toBe("");
    expect(a.events).toEqual([]);
  });

  test("and desired again is opened at once, despite earlier failures", async () => {
    network.unlisten(ADDRESS_B);
    a.desire(PEER_B, partnerB);
    await clock.advance(300_000);
    network.listen(ADDRESS_B, b.node);
    a.desire(PEER_B, { ...partnerB, standing: "revoked" });
    a.desire(PEER_B, partnerB);
    await clock.advance(200);
    expect(a.slots(PEER_B)).toBe("out");
  });
});

describe("a peer that cannot be reached", () => {
  test("is retried for ever at growing intervals, and recorded", async () => {
    network.unlisten(ADDRESS_B);
    a.desire(PEER_B, partnerB);
    await clock.advance(10_000);
    const early = a.opens();
    await clock.advance(3_600_000);
    expect(early).toBeGreaterThanOrEqual(4);
    expect(a.opens() - early).toBeGreaterThan(60);
    expect(a.opens() - early).toBeLessThan(240);
    expect(new Set(a.events.map((event) => event.type))).toEqual(new Set(["OpenFailed"]));
    expect(a.reconciler.progress(PEER_B)).toMatchObject({ opening: false, lastFailure: { code: "connection_refused" } });
  });

  test("is not retried more often when events arrive", async () => {
    network.unlisten(ADDRESS_B);
    a.desire(PEER_B, partnerB);
    await clock.advance(120_000);
    const attempts = a.opens();
    for (let event = 0; event < 50; event++) {
      a.reconciler.wake(PEER_B);
      await clock.advance(10);
    }
    expect(a.opens() - attempts).toBeLessThanOrEqual(1);
  });

  test("holds one slot until its operation has settled, and delays others no further", async () => {
    await startBoth({ concurrency: 1 });
    const silent = `/ip4/10.9.9.9/tcp/1/p2p/${PEER_C}` as Address;
    addSilentListener(silent);
    a.desire(PEER_C, { address: silent });
    await clock.advance(1_000);
    a.desire(PEER_B, partnerB);
    await clock.advance(3_900);
    expect(a.reconciler.progress(PEER_C).opening).toBe(true);
    expect([a.reconciler.progress(PEER_B).opening, a.slots(PEER_B)]).toEqual([false, ""]);
    await clock.advance(500);
    expect(a.events).toContainEqual(expect.objectContaining({ type: "OpenFailed", reason: "timeout", peerId: PEER_C }));
    expect(a.slots(PEER_B)).toBe("out");
  });

  test("does not delay the revocation of a peer that waits for a slot", async () => {
    await startBoth({ concurrency: 1 });
    const silent = `/ip4/10.9.9.9/tcp/1/p2p/${PEER_C}` as Address;
    addSilentListener(silent);
    a.desire(PEER_C, { address: silent });
    b.desire(PEER_A, { address: ADDRESS_A });
    await clock.advance(500);
    a.desire(PEER_B, partnerB);
    await clock.advance(500);
    expect(a.slots(PEER_B)).toBe("in");
    a.desire(PEER_B, { ...partnerB, standing: "revoked" });
    await clock.advance(1_000);
    expect([a.slots(PEER_B), b.slots(PEER_A)]).toEqual(["", ""]);
    expect(a.reconciler.progress(PEER_C).opening).toBe(true);
  });

  test("delays no other peer while slots are free", async () => {
    const silent = `/ip4/10.9.9.9/tcp/1/p2p/${PEER_C}` as Address;
    addSilentListener(silent);
    a.desire(PEER_C, { address: silent });
    a.desire(PEER_B, partnerB);
    await clock.advance(200);
    expect(a.slots(PEER_B)).toBe("out");
  });
});

describe("a peer that falls silent", () => {
  test("loses its stream when its lease expires, and is reopened as soon as it answers, regardless of backoff", async () => {
    await established();
    b.view.pause();
    await clock.advance(15_000);
    expect(a.slots(PEER_B)).toBe("");
    expect(a.events.at(-1)).toMatchObject({ type: "OpenFailed" });
    expect(a.events).toContainEqual(expect.objectContaining({ type: "StreamClosed", reason: "expired" }));
    await clock.advance(600_000);
    b.view.resume();
    await clock.advance(5_000);
    expect([a.slots(PEER_B), b.slots(PEER_A)]).toEqual(["out", "in"]);
  });

  test("and then dies is dropped, and reopened when it returns", async () => {
    await established();
    network.unlisten(ADDRESS_B);
    b.node.resetConnections();
    await clock.advance(4_000);
    expect([a.slots(PEER_B), b.slots(PEER_A)]).toEqual(["", ""]);
    network.listen(ADDRESS_B, b.node);
    await clock.advance(8_000);
    expect([a.slots(PEER_B), b.slots(PEER_A)]).toEqual(["out", "in"]);
  });
});

test("a peer that repeatedly accepts and drops us is backed off from", async () => {
  a.desire(PEER_B, partnerB);
  for (let second = 0; second < 300; second++) {
    await clock.advance(1_000);
    b.node.resetConnections();
  }
  expect(a.opens()).toBeGreaterThan(5);
  expect(a.opens()).toBeLessThan(40);
  expect(a.reconciler.progress(PEER_B)).toMatchObject({
    lastFailure: { code: "refused", streamEnd: expect.stringMatching(/^(reset|connection_lost)$/) as string },
  });
});

test("a peer that resets each stream shortly after its opening has refused us: one session, then failures only", async () => {
  a.desire(PEER_B, partnerB);
  let openForMs = 0;
  for (let step = 0; step < 1_200; step++) {
    await clock.advance(100);
    openForMs = b.slots(PEER_A) === "in" ? openForMs + 100 : 0;
    if (openForMs < 500) continue;
    b.streams.close(PEER_A, { direction: "inbound", reason: "expired", dropConnections: false });
    openForMs = 0;
  }
  expect(a.events.slice(0, 2)).toMatchObject([{ type: "StreamOpened" }, { type: "StreamClosed", reason: "reset" }]);
  const later = a.events.slice(2);
  expect(later.length).toBeGreaterThan(3);
  expect(later.length).toBeLessThan(20);
  for (const event of later)
    expect(event).toMatchObject({ type: "OpenFailed", reason: "refused", details: { streamEnd: "reset" } });
  expect(a.reconciler.progress(PEER_B).lastFailure).toMatchObject({ code: "refused" });
  await clock.advance(70_000);
  expect(a.slots(PEER_B)).toBe("out");
});

test("an inbound stream without heartbeats is closed when its lease expires", async () => {
  await established();
  a.view.pause();
  await clock.advance(11_000);
  expect(b.slots(PEER_A)).toBe("");
  expect(b.events.at(-1)).toMatchObject({ type: "StreamClosed", direction: "inbound", reason: "expired" });
});

test("the rule `partners` refuses strangers and admits partners", async () => {
  await startBoth({ admissionRule: "partners" });
  a.desire(PEER_B, partnerB);
  await clock.advance(20_000);
  expect([a.slots(PEER_B), b.slots(PEER_A)]).toEqual(["", ""]);
  expect(b.events).toContainEqual(expect.objectContaining({ type: "InboundRefused", reason: "not_partner" }));
  b.desire(PEER_A, { address: ADDRESS_A });
  await clock.advance(70_000);
  expect([a.slots(PEER_B), b.slots(PEER_A)]).toEqual(["outin", "outin"]);
});

test("stop aborts operations in progress, waits for them, and starts no more", async () => {
  b.view.pause();
  a.desire(PEER_B, partnerB);
  await clock.advance(1_000);
  const stopped = a.reconciler.stop();
  await clock.advance(10);
  await stopped;
  expect(a.reconciler.inFlightCount).toBe(0);
  a.desire(PEER_B, partnerB);
  const opens = a.opens();
  await clock.advance(60_000);
  expect(a.opens()).toBe(opens);
});

test("liveness detects work that never ends", async () => {
  expect(a.reconciler.stuckForMs()).toBe(0);
  b.view.pause();
  a.desire(PEER_B, partnerB);
  await clock.advance(3_000);
  expect(a.reconciler.stuckForMs()).toBe(3_000);
  b.view.resume();
  await clock.advance(1_000);
  expect(a.reconciler.stuckForMs()).toBe(0);
});
