import { multiaddr } from "@multiformats/multiaddr";
import type { PeerId } from "../../src/base/ids.ts";
import { PARTNER_PROTOCOL } from "../../src/p2p/wire/constants.ts";
import { paceClock } from "../support/pace/pace.ts";
import { eventually, loopbackAddress, startPartnerHost, startTestNode, timeoutSignal } from "../support/partner-host.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";
import { desiredPeer } from "../support/peers.ts";
import { closedPort, listenSilently } from "../support/tcp-listener.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import type { HostHarness } from "./host.contract.ts";
import { hostContract } from "./host.contract.ts";
import type { ContractHarness } from "./partner-streams.contract.ts";
import { partnerStreamsContract } from "./partner-streams.contract.ts";

async function startHosts(): Promise<ContractHarness> {
  const owner = new AsyncDisposableStack();
  const alice = owner.use(await startPartnerHost(1));
  const bob = owner.use(await startPartnerHost(2));
  const toAlice = owner.use(await startTcpProxy(alice.port));
  const toBob = owner.use(await startTcpProxy(bob.port));
  const [silentId, absentId, impostorId] = await Promise.all([peerIdOfSeed(3), peerIdOfSeed(4), peerIdOfSeed(5)]);
  return {
    alice,
    bob,
    bobDesired: desiredPeer(bob.peerId, { address: loopbackAddress(toBob.port, bob.peerId) }),
    aliceDesired: desiredPeer(alice.peerId, { address: loopbackAddress(toAlice.port, alice.peerId) }),
    silentPeer: desiredPeer(silentId, { address: loopbackAddress(await listenSilently(owner), silentId) }),
    absentPeer: desiredPeer(absentId, { address: loopbackAddress(await closedPort(), absentId) }),
    impostor: desiredPeer(impostorId, { address: loopbackAddress(bob.port, impostorId) }),
    monotonicMs: () => paceClock.monotonicMs(),
    eventually,
    deadline: timeoutSignal,
    finishBobsEnd: async () => {
      const streams = bob.node.getConnections().flatMap((connection) => connection.streams);
      await streams.find(({ protocol, direction }) => protocol === PARTNER_PROTOCOL && direction === "inbound")?.close();
    },
    unhandleBob: () => bob.streams.dispose(),
    holdLink: () => {
      toAlice.pause();
      toBob.pause();
    },
    releaseLink: () => {
      toAlice.resume();
      toBob.resume();
    },
    dropConnections: () => {
      toAlice.drop();
      toBob.drop();
    },
    dispose: () => owner.disposeAsync(),
  };
}

async function startBareHosts(): Promise<HostHarness> {
  const owner = new AsyncDisposableStack();
  const alice = owner.use(await startTestNode(1));
  const bob = owner.use(await startTestNode(2));
  const link = owner.use(await startTcpProxy(bob.port));
  const target = (port: number, peerId: PeerId) => multiaddr(loopbackAddress(port, peerId));
  return {
    alice,
    bob,
    bobsTarget: target(link.port, bob.peerId),
    absentTarget: target(await closedPort(), await peerIdOfSeed(4)),
    impostorTarget: target(link.port, await peerIdOfSeed(5)),
    holdLink: () => link.pause(),
    releaseLink: () => link.resume(),
    eventually,
    deadline: timeoutSignal,
    dispose: () => owner.disposeAsync(),
  };
}

partnerStreamsContract("two libp2p hosts on loopback", startHosts);
hostContract("two libp2p hosts on loopback", startBareHosts);
