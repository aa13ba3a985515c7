/**
 * The floor: the least that any program must do to get a live stream to a peer. A bare libp2p dial, a new stream, one write, one
 * ping; no event, log, challenge or registry. Its host has the daemon's settings and runs in the daemon's process.
 */
import { generateKeyPair } from "@libp2p/crypto/keys";
import type { Connection } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { multiaddr } from "@multiformats/multiaddr";
import { deadline, systemClock } from "../src/base/clock.ts";
import { didOf } from "../src/base/ids.ts";
import { abortable } from "../src/base/pause.ts";
import { version } from "../src/base/version.ts";
import { connectionLimits } from "../src/p2p/budgets/connection-limits.ts";
import { pingOverStream } from "../src/p2p/heartbeat/probe.ts";
import { closeBounded, peerIdOf } from "../src/p2p/host/connection-index.ts";
import { Door } from "../src/p2p/host/door.ts";
import { createNode, type Node, startNode, stopNode } from "../src/p2p/host/node.ts";
import { encodeHeartbeat } from "../src/p2p/wire/codec.ts";
import { type FarEnd, SINK_PROTOCOL } from "./fleet.ts";

/** `session`: a yamux session ping, as used by the daemon. `service`: a new /ipfs/ping/1.0.0 stream that echoes 32 bytes. */
export type PingKind = "session" | "service";

/** The duration of each step. */
export interface FloorSteps {
  readonly dialMs: number;
  readonly streamMs: number;
  readonly pingMs: number;
}

export class Floor implements AsyncDisposable {
  readonly #node: Node;
  readonly #heartbeat: Uint8Array;

  private constructor(node: Node, heartbeat: Uint8Array) {
    this.#node = node;
    this.#heartbeat = heartbeat;
  }

  /** Starts a host with its own PeerID that only dials. */
  static async start(): Promise<Floor> {
    const privateKey = await generateKeyPair("Ed25519");
    const peerId = peerIdOf(peerIdFromPrivateKey(privateKey));
    const admission = { verdictOn: () => "ok" as const };
    const door = new Door({
      limits: connectionLimits(10_000, undefined),
      clock: systemClock,
      isPartner: () => true,
      onCut: () => {},
    });
    const node = await createNode({ privateKey, listen: [], door, clock: systemClock, admission, swarmKey: null, version });
    await startNode(node, []);
    return new Floor(node, encodeHeartbeat({ name: "floor", did: didOf(peerId), peerId }, systemClock.wallMs(), "unix"));
  }

  /** Makes a new connection and keeps it until `close`. Rejects if the far end does not answer within `timeoutMs`. */
  async connect(farEnd: FarEnd, ping: PingKind, timeoutMs: number): Promise<FloorSteps> {
    using limit = deadline(systemClock, timeoutMs, () => new Error(`${farEnd.address} did not answer within ${timeoutMs} ms`));
    const { signal } = limit;
    const target = multiaddr(farEnd.address);
    const startMs = systemClock.monotonicMs();
    const connection = await this.#node.dial(target, { signal });
    const dialledMs = systemClock.monotonicMs();
    const stream = await connection.newStream(SINK_PROTOCOL, { signal });
    stream.send(this.#heartbeat);
    const writtenMs = systemClock.monotonicMs();
    if (ping === "session") await sessionPing(connection);
    else await abortable(pingOverStream(connection), signal);
    return { dialMs: dialledMs - startMs, streamMs: writtenMs - dialledMs, pingMs: systemClock.monotonicMs() - writtenMs };
  }

  /** Closes every connection, with a goodbye. */
  async close(): Promise<void> {
    await Promise.all(this.#node.getConnections().map((connection) => closeBounded(connection, systemClock)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return stopNode(this.#node, systemClock);
  }
}

async function sessionPing(connection: Connection): Promise<void> {
  const { muxer } = connection as Connection & { readonly muxer?: { ping(): Promise<number> } };
  if (muxer === undefined) throw new Error("libp2p does not expose its muxer: cannot ping the session");
  await muxer.ping();
}

export const totalMs = ({ dialMs, streamMs, pingMs }: FloorSteps): number => dialMs + streamMs + pingMs;
