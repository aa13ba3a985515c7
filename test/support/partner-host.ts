/** A real libp2p host on loopback that serves the partner protocols, with a record of its reports. */
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { systemClock, systemRandom } from "../../src/base/clock.ts";
import { PartnerdError } from "../../src/base/errors.ts";
import type { Address, PeerId } from "../../src/base/ids.ts";
import { didOf } from "../../src/base/ids.ts";
import type { LearnedFacts } from "../../src/events/learned/learned-facts.ts";
import type { ObservedEvent } from "../../src/events/types.ts";
import { connectionLimits } from "../../src/p2p/budgets/connection-limits.ts";
import { dialAsGiven } from "../../src/p2p/dial/dial-planner.ts";
import { HandshakeWatch } from "../../src/p2p/handshake/handshake-watch.ts";
import { peerIdOf } from "../../src/p2p/host/connection-index.ts";
import { Door, type DoorInit } from "../../src/p2p/host/door.ts";
import type { Node } from "../../src/p2p/host/node.ts";
import { createNode, startNode, stopNode } from "../../src/p2p/host/node.ts";
import type { Libp2pPartnerStreams, PartnerStreamsComponents } from "../../src/p2p/partner-streams.ts";
import { createPartnerStreams } from "../../src/p2p/partner-streams.ts";
import type { StreamObserver } from "../../src/p2p/registry/registry.ts";
import type { Verdict } from "../../src/reconciler/ports.ts";
import { paceClock, startDeadline } from "./pace/pace.ts";
import { until } from "./until.ts";

export interface TestNode extends AsyncDisposable {
  readonly node: Node;
  readonly peerId: PeerId;
  readonly port: number;
  setVerdict(verdict: Verdict): void;
  readonly admission: { verdictOn(peerId: PeerId): Verdict };
  readonly handshakes: HandshakeWatch;
}

export interface TestPartnerHost extends TestNode {
  readonly streams: Libp2pPartnerStreams;
  readonly events: ObservedEvent[];
  readonly woken: PeerId[];
  /** The facts learned of each far end. */
  readonly learned: (readonly [PeerId, Partial<LearnedFacts>])[];
}

/** A door with room for everyone, and partners only. */
export function openDoor(init: Partial<DoorInit> = {}): Door {
  const limits = connectionLimits(10_000, undefined);
  return new Door({ limits, clock: systemClock, isPartner: () => true, onCut: () => {}, ...init });
}

/** A host with our settings but none of our protocols, the basis for all kinds of peers. */
export async function startTestNode(
  seed: number,
  beforeListening: (node: TestNode) => Promise<void> = async () => {},
  observer: Pick<StreamObserver, "observed"> = { observed: () => {} },
  door: Door = openDoor(),
): Promise<TestNode> {
  const privateKey = await generateKeyPairFromSeed("Ed25519", new Uint8Array(32).fill(seed));
  let verdict: Verdict = "ok";
  const admission = { verdictOn: () => verdict };
  const listen = ["/ip4/127.0.0.1/tcp/0"];
  const handshakes = new HandshakeWatch({ isPrivate: false, onInboundFailure: () => {} });
  const node = await createNode({
    privateKey,
    listen,
    door,
    clock: systemClock,
    admission,
    observer,
    swarmKey: null,
    version: "0.0.0",
    handshakes,
  });
  const testNode: TestNode = {
    node,
    peerId: peerIdOf(peerIdFromPrivateKey(privateKey)),
    get port() {
      return Number(
        node
          .getMultiaddrs()[0]
          ?.getComponents()
          .find(({ name }) => name === "tcp")?.value,
      );
    },
    admission,
    handshakes,
    setVerdict: (next) => {
      verdict = next;
    },
    [Symbol.asyncDispose]: () => stopNode(node, systemClock),
  };
  await beforeListening(testNode);
  await startNode(node, listen);
  return testNode;
}

/** No test expects a fault of ours: thrown here, it is an unhandled rejection, and fails the run. */
export function faulted(_peerId: PeerId, error: Error): never {
  throw error;
}

export async function startPartnerHost(
  seed: number,
  options: PartnerStreamsComponents["options"] = {},
  door: Door = openDoor(),
): Promise<TestPartnerHost> {
  const events: ObservedEvent[] = [];
  const woken: PeerId[] = [];
  const learned: (readonly [PeerId, Partial<LearnedFacts>])[] = [];
  const observer: StreamObserver = {
    observed: (event) => events.push(event),
    faulted,
    wake: (woke) => woken.push(woke),
    learned: (peerId, facts) => learned.push([peerId, facts]),
  };
  let streams: Libp2pPartnerStreams | undefined;
  const testNode = await startTestNode(
    seed,
    async ({ node, peerId, admission, handshakes }) => {
      streams = await createPartnerStreams({
        node,
        // Many tests use short timeouts, which must depend on the peer and not on the load of the machine.
        clock: paceClock,
        random: systemRandom,
        dialPlanner: dialAsGiven,
        self: { name: `host-${seed}`, did: didOf(`did:${seed}`), peerId },
        admission,
        cuts: door,
        observer,
        handshakes,
        options,
      });
    },
    observer,
    door,
  );
  if (streams === undefined) throw new Error("no partner streams");
  const created = streams;
  const stopNodeOnly = testNode[Symbol.asyncDispose].bind(testNode);
  const dispose = async () => {
    await created.dispose();
    await stopNodeOnly();
  };
  return Object.assign(testNode, { streams: created, events, woken, learned, [Symbol.asyncDispose]: dispose });
}

export const loopbackAddress = (port: number, peerId: PeerId): Address => `/ip4/127.0.0.1/tcp/${port}/p2p/${peerId}` as Address;

/** A signal like those of the reconciler; its timer is unreferenced. */
export const timeoutSignal = (durationMs: number): AbortSignal =>
  startDeadline(durationMs, () => new PartnerdError("timeout", `nothing within ${durationMs} ms`)).signal;

/** Waits for a condition that has no event. */
export async function eventually(condition: () => boolean): Promise<void> {
  await until(condition.toString(), condition);
}
