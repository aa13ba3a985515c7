/**
 * The far ends, in a separate process so that the measuring process does only its half of the work: real libp2p hosts that serve
 * heartbeats (and challenge the opener, like a partner), probe and ping; and black holes, which accept TCP and stay silent.
 * Started by fleet.ts and exits with it.
 */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { generateKeyPair } from "@libp2p/crypto/keys";
import type { Stream } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { systemClock, systemRandom } from "../src/base/clock.ts";
import { didOf } from "../src/base/ids.ts";
import { version } from "../src/base/version.ts";
import { connectionLimits } from "../src/p2p/budgets/connection-limits.ts";
import { dialAsGiven } from "../src/p2p/dial/dial-planner.ts";
import { peerIdOf } from "../src/p2p/host/connection-index.ts";
import { Door } from "../src/p2p/host/door.ts";
import { createNode, startNode } from "../src/p2p/host/node.ts";
import { createPartnerStreams } from "../src/p2p/partner-streams.ts";
import type { AdmissionPolicy } from "../src/p2p/registry/admission-policy.ts";
import { type FleetReply, type FleetRequest, SINK_PROTOCOL } from "./fleet.ts";

const LISTEN = ["/ip4/127.0.0.1/tcp/0"];
const ANYBODY: AdmissionPolicy = { verdictOn: () => "ok" };

async function startHost(): Promise<string> {
  const privateKey = await generateKeyPair("Ed25519");
  const peerId = peerIdOf(peerIdFromPrivateKey(privateKey));
  const limits = connectionLimits(10_000, undefined);
  const door = new Door({ limits, clock: systemClock, isPartner: () => true, onCut: () => {} });
  const node = await createNode({
    privateKey,
    listen: LISTEN,
    door,
    clock: systemClock,
    admission: ANYBODY,
    swarmKey: null,
    version,
  });
  await createPartnerStreams({
    node,
    clock: systemClock,
    random: systemRandom,
    dialPlanner: dialAsGiven,
    self: { name: "far end", did: didOf(peerId), peerId },
    admission: ANYBODY,
    cuts: door,
    observer: { observed: () => {}, faulted: () => {}, wake: () => {} },
  });
  await node.handle(SINK_PROTOCOL, sink);
  await startNode(node, LISTEN);
  return String(node.getMultiaddrs()[0]);
}

/** Reads and discards, the least that a far end can do. */
function sink(stream: Stream): void {
  stream.addEventListener("message", () => {});
}

async function startBlackHole(): Promise<string> {
  const server = createServer((socket) => socket.on("error", () => {}));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const peerId = peerIdFromPrivateKey(await generateKeyPair("Ed25519"));
  return `/ip4/127.0.0.1/tcp/${port}/p2p/${peerId}`;
}

async function startEach(count: number, start: () => Promise<string>): Promise<string[]> {
  const addresses: string[] = [];
  while (addresses.length < count) addresses.push(await start());
  return addresses;
}

process.once("disconnect", () => process.exit());
const [{ hosts, blackHoles }] = (await once(process, "message")) as [FleetRequest];
const reply: FleetReply = {
  hosts: await startEach(hosts, startHost),
  blackHoles: await startEach(blackHoles, startBlackHole),
};
process.send?.(reply);
