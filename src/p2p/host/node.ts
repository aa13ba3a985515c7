/** The libp2p host: TCP, noise and yamux, with libp2p's own dialling, pinging and pruning turned off. */
import { noise } from "@chainsafe/libp2p-noise";
import { type Identify, identify } from "@libp2p/identify";
import type { Libp2p, PrivateKey } from "@libp2p/interface";
import { preSharedKey } from "@libp2p/pnet";
import { tcp } from "@libp2p/tcp";
import { createLibp2p } from "libp2p";
import { type Clock, deadline } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import { abortable } from "../../base/pause.ts";
import { HandshakeWatch } from "../handshake/handshake-watch.ts";
import { boundedYamux } from "../muxer/bounded-yamux.ts";
import type { AdmissionPolicy } from "../registry/admission-policy.ts";
import type { StreamObserver } from "../registry/registry.ts";
import { NODE_STOP_TIMEOUT_MS } from "../wire/constants.ts";
import type { Door } from "./door.ts";
import { behindDoor, createGater } from "./gater.ts";
import { ListenFailures } from "./listen-failures.ts";

export type Node = Libp2p<{ identify: Identify }>;

export interface NodeOptions {
  readonly privateKey: PrivateKey;
  /** Valid multiaddrs; none: this host only dials. */
  readonly listen: readonly string[];
  /** Gives each connection a place and a meter. */
  readonly door: Door;
  readonly clock: Clock;
  readonly admission: AdmissionPolicy;
  /** Told of refused connections. */
  readonly observer?: Pick<StreamObserver, "observed">;
  /** The pre-shared key of a private network, from `parseSwarmKey`; null for a public one. */
  readonly swarmKey: Uint8Array | null;
  readonly version: string;
  /** Finds out why handshakes fail; default: one that reports to no one. */
  readonly handshakes?: HandshakeWatch;
}

/** A backstop: our own deadlines normally end a dial first. */
const DIAL_BACKSTOP_MS = 60_000;
/** The reconciler bounds its dials itself (64 by default); libp2p must never queue or refuse them. */
const MAX_PARALLEL_DIALS = 1_024;
const MAX_DIAL_QUEUE_LENGTH = 8_192;
/** libp2p's own limits know no partners and count in quadratic time; it skips them for addresses on its allow list. */
const EVERYONE = ["/ip4/0.0.0.0/ipcidr/0", "/ip6/::/ipcidr/0"];

/** Any peer may connect, but a silent connection is closed. */
const INBOUND_IDLE_MS = 2 * 60_000;
/** Longer than any backoff: a silent connection that we dialled shows when a sleeping peer wakes up. */
const OUTBOUND_IDLE_MS = 10 * 60_000;

/** Creates a host that does not listen yet, so that its protocols can be registered before the first peer connects. */
export async function createNode(options: NodeOptions): Promise<Node> {
  const { privateKey, listen, door, clock, admission, observer, swarmKey, version } = options;
  const handshakes = options.handshakes ?? new HandshakeWatch({ isPrivate: swarmKey !== null, onInboundFailure: () => {} });
  const failures = new ListenFailures();
  const transport = tcp({ inboundSocketInactivityTimeout: INBOUND_IDLE_MS, outboundSocketInactivityTimeout: OUTBOUND_IDLE_MS });
  const secure = noise();
  const node: Node = await createLibp2p({
    start: false,
    privateKey,
    nodeInfo: { name: "oc-partnerd", version },
    addresses: { listen: [...listen] },
    transports: [(components) => door.watchTransport(failures.watch(transport(components)))],
    connectionEncrypters: [(components) => door.watchEncrypter(handshakes.watchEncrypter(secure(components)))],
    streamMuxers: [
      boundedYamux({ clock, meterOf: (layer) => door.meterOf(layer), onExceeded: (layer, error) => door.exceeded(layer, error) }),
    ],
    ...(swarmKey === null ? {} : { connectionProtector: protectedBy(swarmKey, door, handshakes) }),
    connectionGater: behindDoor(door, createGater(admission, observer), handshakes),
    // libp2p's monitor pings every connection in the same tick and kills healthy ones under load. liveness.ts spreads its pings.
    connectionMonitor: { enabled: false },
    connectionManager: {
      allow: EVERYONE,
      maxConnections: Number.POSITIVE_INFINITY,
      maxParallelDials: MAX_PARALLEL_DIALS,
      maxDialQueueLength: MAX_DIAL_QUEUE_LENGTH,
      dialTimeout: DIAL_BACKSTOP_MS,
      addressDialTimeout: DIAL_BACKSTOP_MS,
      reconnectRetries: 0,
    },
    peerStore: { maxAddressAge: Number.POSITIVE_INFINITY, maxPeerAge: Number.POSITIVE_INFINITY },
    services: {
      // Served because Go hosts ask for it. We ask partners only (identify.ts). libp2p would ask strangers too, and keep the answers.
      identify: identify({ runOnConnectionOpen: false }),
    },
  });
  failuresOf.set(node, failures);
  node.addEventListener("connection:open", ({ detail }) => door.opened(detail));
  forgetDisconnectedPeers(node);
  return node;
}

function protectedBy(psk: Uint8Array, door: Door, handshakes: HandshakeWatch) {
  const create = preSharedKey({ psk });
  return () => door.watchProtector(handshakes.watchProtector(create()));
}

const failuresOf = new WeakMap<Node, ListenFailures>();

/** Listens. `node` comes from createNode. Throws PartnerdError `port_taken` or `listen_failed`, naming the multiaddr. */
export async function startNode(node: Node, listen: readonly string[]): Promise<void> {
  try {
    await node.start();
  } catch (error) {
    throw (failuresOf.get(node) ?? new ListenFailures()).error(error, listen);
  }
}

/** Stops the host; waits at most a second. Never rejects. */
export async function stopNode(node: Node, clock: Clock): Promise<void> {
  using limit = deadline(clock, NODE_STOP_TIMEOUT_MS, () => new PartnerdError("timeout", "libp2p did not stop in time"));
  try {
    await abortable(Promise.resolve(node.stop()), limit.signal);
  } catch {
    for (const connection of node.getConnections()) connection.abort(new PartnerdError("aborted", "the host is stopping"));
  }
}

/** We dial explicit addresses and do not need the peer store, which would keep every stranger's PeerID permanently. */
function forgetDisconnectedPeers(node: Node): void {
  node.addEventListener("peer:disconnect", (event) => {
    node.peerStore.delete(event.detail).catch(() => {
      // The store is in memory and fails only while the host is stopping.
    });
  });
}
