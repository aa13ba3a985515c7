/** Bugs found by stream-life.model.test.ts, each as its shortest sequence of events. */
import { expect, test } from "vitest";
import type { Address } from "../../src/base/ids.ts";
import { desiredPeer } from "../support/peers.ts";
import { PEERS, World } from "./stream-life-world.ts";

const [ALICE] = PEERS;
const partner = desiredPeer(ALICE);

test("an inbound lease expires on time even after opening was stopped", async () => {
  const world = new World(1);
  world.openInbound(ALICE);
  await world.clock.advance(0);
  world.desire(partner);
  await world.clock.advance(0);
  world.answer(ALICE, "address_unsupported");
  await world.clock.advance(10_000);
  expect(world.actual(ALICE).inbound).toBeNull();
});

test("the diff respects the pause after a failed renewal, and does not report it as missed work", async () => {
  for (let seed = 0; seed < 20; seed++) {
    const world = new World(seed);
    world.reconciler.start();
    world.models.get(ALICE)?.beSilent(true);
    world.desire(partner);
    await world.clock.advance(0);
    world.answer(ALICE);
    await world.clock.advance(12_000);
    expect(world.events).toMatchObject([{ type: "StreamOpened" }, { type: "StreamClosed", reason: "expired" }]);
    expect(world.resyncFound).toBe(0);
  }
});

test("the next attempt shown is the next open, not the end of an inbound lease", async () => {
  const world = new World(1);
  world.desire(partner);
  await world.clock.advance(0);
  world.answer(ALICE, "identity_mismatch");
  await world.clock.advance(0);
  const { nextAttemptAtMs } = world.reconciler.progress(ALICE);
  expect(nextAttemptAtMs).toBeGreaterThan(10_000);
  world.openInbound(ALICE);
  await world.clock.advance(0);
  expect(world.reconciler.progress(ALICE).nextAttemptAtMs).toBe(nextAttemptAtMs);
});

test("an open that fails as a new address arrives does not count against the new address, in either order", async () => {
  for (let turns = 0; turns < 20; turns++) {
    const world = new World(1);
    world.desire(partner);
    await world.clock.advance(0);
    world.answer(ALICE, "address_unsupported");
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    const heardOfBefore = world.events.length;
    world.desire({ ...partner, address: "/ip4/10.0.0.2/tcp/1" as Address, generation: 2 });
    await world.clock.advance(0);
    expect(world.events).toHaveLength(heardOfBefore);
    expect(world.reconciler.progress(ALICE)).toMatchObject({ opening: true, attempts: 0 });
  }
});
