/** Interrupts an open at every possible moment of virtual time: no stream may open afterwards, and nothing may be left behind. */

import { expect, test } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import type { Address } from "../../../src/base/ids.ts";
import { ATTEMPT } from "../../support/attempts.ts";
import { desiredPeer, PEER_A, PEER_B } from "../../support/peers.ts";
import { type SimulatedSide, simulatedWorld, startSimulatedSide } from "../../support/simulated-host.ts";

const ALICES_ADDRESS = "/ip4/10.0.0.1/tcp/4001" as Address;
const BOBS_ADDRESS = "/ip4/10.0.0.2/tcp/4001" as Address;
const BOB = desiredPeer(PEER_B, { address: BOBS_ADDRESS });
/** The longest an open takes on this network. */
const LONGEST_OPEN_MS = 80;
/** Shorter than the far end's timeouts, which would clean up anything that we left behind. */
const AFTERWARDS_MS = 5_000;

interface Race {
  readonly alice: SimulatedSide;
  readonly bob: SimulatedSide;
  readonly opening: Promise<string>;
  readonly abort: () => void;
}

interface RaceOptions {
  /** Bob has a stream to Alice beforehand, so that she need not dial. */
  readonly connected?: boolean;
}

/** Alice opens, `happen` runs after `delayMs`, and the outcome of the open is taken long afterwards. */
async function race(
  delayMs: number,
  happen: (race: Race) => void,
  { connected = false }: RaceOptions = {},
): Promise<Race & { readonly outcome: string }> {
  const world = simulatedWorld(delayMs);
  const alice = await startSimulatedSide(world, PEER_A, ALICES_ADDRESS);
  const bob = await startSimulatedSide(world, PEER_B, BOBS_ADDRESS);
  if (connected) {
    const alicesDesired = desiredPeer(PEER_A, { address: ALICES_ADDRESS });
    await Promise.all([
      bob.streams.open(alicesDesired, new AbortController().signal, ATTEMPT),
      world.clock.advance(LONGEST_OPEN_MS),
    ]);
  }
  const controller = new AbortController();
  const opening = alice.streams.open(BOB, controller.signal, ATTEMPT).then(
    () => "established",
    (error: unknown) => (error instanceof PartnerdError ? error.code : String(error)),
  );
  await world.clock.advance(delayMs);
  const started = { alice, bob, opening, abort: () => controller.abort(new PartnerdError("aborted", "no longer wanted")) };
  happen(started);
  await world.clock.advance(AFTERWARDS_MS);
  return { ...started, outcome: await opening };
}

const moments = Array.from({ length: LONGEST_OPEN_MS }, (_, delayMs) => delayMs);

test("aborted", async () => {
  const outcomes = new Set<string>();
  for (const delayMs of moments) {
    const { alice, bob, outcome } = await race(delayMs, ({ abort }) => abort());
    outcomes.add(outcome);
    if (outcome === "established") continue;
    expect([outcome, alice.events, alice.node.getConnections(), bob.node.getConnections()]).toEqual(["aborted", [], [], []]);
    expect(bob.streams.peers()).toEqual([]);
  }
  expect([...outcomes]).toEqual(["aborted", "established"]);
});

test("aborted on an existing connection", async () => {
  for (const delayMs of moments) {
    const { alice, bob, outcome } = await race(delayMs, ({ abort }) => abort(), { connected: true });
    const streams = alice.node.getConnections().flatMap((connection) => connection.streams);
    const directions = streams.map(({ direction }) => direction);
    expect(directions.toSorted()).toEqual(outcome === "established" ? ["inbound", "outbound"] : ["inbound"]);
    expect(bob.node.getConnections().flatMap((connection) => connection.streams)).toHaveLength(streams.length);
  }
});

test("cancelled by a close", async () => {
  for (const delayMs of moments) {
    const { alice, bob, outcome } = await race(delayMs, ({ alice: { streams } }) =>
      streams.close(PEER_B, { direction: "both", reason: "revoked", dropConnections: false }),
    );
    expect(["aborted", "established"]).toContain(outcome);
    expect([alice.streams.peers(), bob.streams.peers()]).toEqual([[], []]);
    expect([alice.node.getConnections(), bob.node.getConnections()]).toEqual([[], []]);
    expect(alice.events.map(({ type }) => type)).toEqual(outcome === "established" ? ["StreamOpened", "StreamClosed"] : []);
  }
});

test("aborted and restarted at once", async () => {
  for (const delayMs of moments) {
    let second: Promise<void> | undefined;
    const { alice, bob } = await race(delayMs, ({ alice: { streams }, abort }) => {
      abort();
      second = streams.open(BOB, new AbortController().signal, ATTEMPT);
    });
    await second;
    expect([alice.streams.peers(), bob.streams.peers()]).toEqual([[PEER_B], [PEER_A]]);
    const streams = bob.node.getConnections().flatMap((connection) => connection.streams);
    expect(streams.map(({ status, otherEnd }) => [status, otherEnd?.status])).toEqual([["open", "open"]]);
    expect(alice.node.getConnections()).toHaveLength(1);
  }
});

test("while the far end cuts every connection", async () => {
  for (const delayMs of moments) {
    const { alice, bob, outcome } = await race(delayMs, ({ bob: { node } }) => node.resetConnections());
    expect(["connection_refused", "dial_failed", "refused", "established"]).toContain(outcome);
    expect([alice.node.getConnections(), bob.node.getConnections()].map(({ length }) => length)).toEqual(
      alice.streams.peers().length === 0 ? [0, 0] : [1, 1],
    );
  }
});
