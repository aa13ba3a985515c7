/** Faults of our own, planted between the protocols and what they call: none may look like something that a peer did. */

import { multiaddr } from "@multiformats/multiaddr";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { deadline } from "../../../src/base/clock.ts";
import type { PartnerdError } from "../../../src/base/errors.ts";
import type { Address, PeerId } from "../../../src/base/ids.ts";
import type { ObservedEvent } from "../../../src/events/types.ts";
import { HeartbeatDecoder } from "../../../src/p2p/wire/codec.ts";
import { LEASE_MS, PROBE_PROTOCOL } from "../../../src/p2p/wire/constants.ts";
import type { Verdict } from "../../../src/reconciler/ports.ts";
import { SimNode } from "../../../src/sim/network/node.ts";
import { SimPartnerStream } from "../../../src/sim/network/stream.ts";
import { ATTEMPT } from "../../support/attempts.ts";
import { desiredPeer, PEER_A, PEER_B, PEER_C } from "../../support/peers.ts";
import {
  type SimulatedHost,
  type SimulatedWorld,
  simulatedWorld,
  startSimulatedHost,
  virtualEventually,
} from "../../support/simulated-host.ts";

const BUG = new TypeError("a bug of ours");
const bug = (): never => {
  throw BUG;
};
const BOBS_ADDRESS = "/dns4/bob/tcp/1" as Address;

describe("a fault of our own", () => {
  let world: SimulatedWorld;
  let alice: SimulatedHost;
  let bob: SimulatedHost;
  let verdict: () => Verdict;
  let events: ObservedEvent[];
  let faults: [PeerId, PartnerdError][];

  afterEach(() => vi.restoreAllMocks());

  beforeEach(async () => {
    world = simulatedWorld();
    events = [];
    faults = [];
    verdict = () => "ok";
    alice = await startSimulatedHost(world, {
      peerId: PEER_A,
      address: "/dns4/alice/tcp/1" as Address,
      admission: { verdictOn: () => "ok" },
      observer: { observed: () => {}, faulted: bug, wake: () => {} },
    });
    bob = await startSimulatedHost(world, {
      peerId: PEER_B,
      address: BOBS_ADDRESS,
      admission: { verdictOn: () => verdict() },
      observer: { observed: (event) => events.push(event), faulted: (...fault) => faults.push(fault), wake: () => {} },
    });
  });

  const open = () => {
    const signal = deadline(world.clock, 5_000, () => new Error("late")).signal;
    return alice.streams.open(desiredPeer(PEER_B, { address: BOBS_ADDRESS }), signal, ATTEMPT);
  };

  /** Bob has told of the fault, once, and of nothing that the peer did. */
  function expectFault(peerId = PEER_A): void {
    expect(faults).toEqual([[peerId, expect.objectContaining({ code: "internal_error", cause: BUG })]]);
    expect(events).toEqual([]);
  }

  it("in the admission policy refuses no peer", async () => {
    // The gater asks, then the arrival of the connection, then the handler.
    let asked = 0;
    verdict = () => (++asked > 2 ? bug() : "ok");
    void open().catch(() => {});
    await virtualEventually(world.clock, () => faults.length > 0);
    expectFault();
  });

  it("in the decoder refuses no peer", async () => {
    vi.spyOn(HeartbeatDecoder.prototype, "decode").mockImplementation(bug);
    void open().catch(() => {});
    await virtualEventually(world.clock, () => faults.length > 0);
    expectFault();
  });

  it("in the decoder of an established stream is not a protocol violation: the lease runs out", async () => {
    void open();
    await virtualEventually(world.clock, () => events.length > 0);
    events.length = 0;
    const decode = vi.spyOn(HeartbeatDecoder.prototype, "decode").mockImplementation(bug);
    for (let times = 0; times < 2; times++) {
      await virtualEventually(world.clock, () => alice.streams.actual(PEER_B).outbound !== null);
      const renewing = alice.streams.renew(PEER_B, deadline(world.clock, 5_000, () => new Error("late")).signal);
      await world.clock.advance(100);
      await renewing;
    }
    expectFault();
    expect(decode).toHaveBeenCalledOnce();
    expect(bob.streams.actual(PEER_A).inbound?.expiresAtMs).toBeLessThan(world.clock.monotonicMs() + LEASE_MS - 100);
  });

  it("in the challenge does not fail it", async () => {
    void open();
    await virtualEventually(world.clock, () => bob.node.getConnections().length > 0);
    for (const connection of bob.node.getConnections()) connection.newStream = () => Promise.reject(BUG);
    await virtualEventually(world.clock, () => faults.length > 0);
    expectFault();
  });

  it("in the answer to a challenge is told of the peer that put it", async () => {
    vi.spyOn(SimPartnerStream.prototype, "send").mockImplementation(bug);
    const stranger = new SimNode(world.network, { peerId: PEER_C, clock: world.clock.view() });
    const signal = new AbortController().signal;
    const dialling = stranger.dial(multiaddr(`${BOBS_ADDRESS}/p2p/${PEER_B}`), { signal });
    void dialling
      .then((connection) => connection.newStream(PROBE_PROTOCOL, { signal }))
      .then((stream) => stream.otherEnd?.received({ kind: "data", streamId: stream.id, bytes: Uint8Array.of(1) }));
    await virtualEventually(world.clock, () => faults.length > 0);
    expectFault(PEER_C);
  });

  it("in a renewal does not lose the stream", async () => {
    void open();
    await virtualEventually(world.clock, () => alice.streams.actual(PEER_B).outbound !== null);
    for (const connection of alice.node.getConnections()) connection.muxer.ping = () => Promise.reject(BUG);
    const renewing = alice.streams.renew(PEER_B, new AbortController().signal);
    await expect(renewing).rejects.toMatchObject({ code: "internal_error", cause: BUG });
    expect(alice.streams.actual(PEER_B).outbound).not.toBeNull();
  });
});
