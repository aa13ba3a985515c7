import { multiaddr } from "@multiformats/multiaddr";
import { deadline } from "../../src/base/clock.ts";
import { PartnerdError } from "../../src/base/errors.ts";
import type { Address, PeerId } from "../../src/base/ids.ts";
import { PARTNER_PROTOCOL } from "../../src/p2p/wire/constants.ts";
import { SimNode } from "../../src/sim/network/node.ts";
import { desiredPeer, PEER_A, PEER_B, PEER_C } from "../support/peers.ts";
import { simulatedWorld, startSimulatedSide, virtualEventually } from "../support/simulated-host.ts";
import type { HostHarness } from "./host.contract.ts";
import { hostContract } from "./host.contract.ts";
import type { ContractHarness } from "./partner-streams.contract.ts";
import { partnerStreamsContract } from "./partner-streams.contract.ts";

const ALICES_ADDRESS = "/dns4/alice/tcp/1" as Address;
const BOBS_ADDRESS = "/dns4/bob/tcp/1" as Address;
const SILENT_ADDRESS = "/dns4/silent/tcp/1" as Address;
const ABSENT_ADDRESS = "/dns4/absent/tcp/1" as Address;

async function startSides() {
  const world = simulatedWorld();
  const { clock, network } = world;
  const alice = await startSimulatedSide(world, PEER_A, ALICES_ADDRESS);
  const bob = await startSimulatedSide(world, PEER_B, BOBS_ADDRESS);
  const silent = new SimNode(network, { peerId: PEER_C, clock: clock.view() });
  silent.answers = "never";
  network.listen(SILENT_ADDRESS, silent);
  return {
    clock,
    alice,
    bob,
    eventually: (condition: () => boolean) => virtualEventually(clock, condition),
    deadline: (durationMs: number) =>
      deadline(clock, durationMs, () => new PartnerdError("timeout", `nothing within ${durationMs} ms`)).signal,
    holdLink: () => {
      bob.node.cut = "both";
    },
    releaseLink: () => {
      bob.node.cut = "none";
    },
  };
}

async function startSimulation(): Promise<ContractHarness> {
  const sides = await startSides();
  const { clock, alice, bob } = sides;
  const at = (peerId: PeerId, address: Address) => desiredPeer(peerId, { address });
  return {
    ...sides,
    bobDesired: at(PEER_B, BOBS_ADDRESS),
    aliceDesired: at(PEER_A, ALICES_ADDRESS),
    silentPeer: at(PEER_C, SILENT_ADDRESS),
    absentPeer: at(PEER_C, ABSENT_ADDRESS),
    impostor: at(PEER_C, BOBS_ADDRESS),
    monotonicMs: () => clock.monotonicMs(),
    finishBobsEnd: async () => {
      const streams = bob.node.getConnections().flatMap((connection) => connection.streams);
      streams.find(({ protocol, direction }) => protocol === PARTNER_PROTOCOL && direction === "inbound")?.finish();
    },
    unhandleBob: () => bob.streams.dispose(),
    dropConnections: () => alice.node.resetConnections(),
    dispose: async () => {
      await alice.streams.dispose();
      await bob.streams.dispose();
    },
  };
}

async function startHosts(): Promise<HostHarness> {
  const sides = await startSides();
  const { alice, bob } = sides;
  await alice.streams.dispose();
  await bob.streams.dispose();
  const target = (address: Address, peerId: PeerId) => multiaddr(`${address}/p2p/${peerId}`);
  return {
    ...sides,
    bobsTarget: target(BOBS_ADDRESS, PEER_B),
    absentTarget: target(ABSENT_ADDRESS, PEER_C),
    impostorTarget: target(BOBS_ADDRESS, PEER_C),
    dispose: async () => {},
  };
}

partnerStreamsContract("simulated network on a virtual clock", startSimulation);
hostContract("simulated network on a virtual clock", startHosts);
