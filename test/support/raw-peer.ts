/** A libp2p host that speaks TCP and noise, and then writes yamux bytes by hand, well formed or not. */
import { noise } from "@chainsafe/libp2p-noise";
import { generateKeyPair } from "@libp2p/crypto/keys";
import type { MessageStream, StreamMuxer, StreamMuxerFactory } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { encodeHeader, FLAG, FRAME_TYPE } from "../../src/p2p/muxer/frame-splitter.ts";

export interface RawConnection {
  /** Queues bytes for the far end; false once more than a socket takes at once is waiting. */
  send(bytes: Uint8Array): boolean;
  /** Bytes that the far end has sent, without those of the handshake. */
  readonly receivedBytes: number;
  /** Stops reading, so that the answers of the far end pile up at its side. */
  stopReading(): void;
  readonly isOpen: boolean;
  /** Resolves when the connection has closed. */
  readonly closed: Promise<void>;
  close(): void;
}

export interface RawPeer extends AsyncDisposable {
  readonly peerId: string;
  /** Where it listens, if asked to. It completes handshakes and then says nothing. */
  readonly addresses: readonly string[];
  /** A new connection. Rejects if the far end does not complete the handshake. */
  connect(address: string): Promise<RawConnection>;
}

/** A host with an identity of its own, which listens on these multiaddrs. */
export async function startRawPeer(listen: readonly string[] = []): Promise<RawPeer> {
  const captured: MessageStream[] = [];
  const factory = (): StreamMuxerFactory => ({
    protocol: "/yamux/1.0.0",
    createStreamMuxer: (connection) => {
      captured.push(connection);
      return idleMuxer();
    },
  });
  const node = await createLibp2p({
    privateKey: await generateKeyPair("Ed25519"),
    addresses: { listen: [...listen] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [factory],
    connectionMonitor: { enabled: false },
    connectionManager: { maxParallelDials: 1_000, reconnectRetries: 0 },
  });
  return {
    peerId: node.peerId.toString(),
    addresses: node.getMultiaddrs().map(String),
    async connect(address) {
      const connection = await node.dial(multiaddr(address), { force: true });
      const stream = captured.find((each) => each.direction === "outbound" && !taken.has(each));
      if (stream === undefined) throw new Error("no connection was captured");
      taken.add(stream);
      return rawConnection(stream, () => connection.abort(new Error("closed by the test")));
    },
    [Symbol.asyncDispose]: async () => {
      await node.stop();
    },
  };
}

const taken = new WeakSet<MessageStream>();

function rawConnection(stream: MessageStream, close: () => void): RawConnection {
  let receivedBytes = 0;
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  stream.addEventListener("message", ({ data }) => {
    receivedBytes += data.byteLength;
  });
  stream.addEventListener("close", () => resolve());
  return {
    send: (bytes) => stream.status === "open" && stream.send(bytes),
    get receivedBytes() {
      return receivedBytes;
    },
    stopReading: () => stream.pause(),
    get isOpen() {
      return stream.status === "open";
    },
    closed,
    close,
  };
}

/** Satisfies libp2p and does nothing: the test writes the frames. */
function idleMuxer(): StreamMuxer {
  const target = new EventTarget();
  return Object.assign(target, {
    protocol: "/yamux/1.0.0",
    streams: [],
    status: "open",
    createStream: () => Promise.reject(new Error("a raw peer opens no streams")),
    close: () => Promise.resolve(),
    abort: () => {},
    listenerCount: () => 0,
    safeDispatchEvent: () => true,
  }) as unknown as StreamMuxer;
}

/** A yamux frame. `claimedLength` replaces the true length of the payload. */
export function dataFrame(
  streamId: number,
  payload: Uint8Array,
  options: { flags?: number; claimedLength?: number } = {},
): Uint8Array {
  const { flags = 0, claimedLength = payload.length } = options;
  const header = encodeHeader({ version: 0, type: FRAME_TYPE.data, flags, streamId, length: claimedLength });
  return Buffer.concat([header, payload]);
}

export function pingFrame(id: number): Uint8Array {
  return encodeHeader({ version: 0, type: FRAME_TYPE.ping, flags: FLAG.syn, streamId: 0, length: id });
}

/** Opens a stream. A dialler's stream ids are odd. */
export function synFrame(streamId: number): Uint8Array {
  return encodeHeader({ version: 0, type: FRAME_TYPE.windowUpdate, flags: FLAG.syn, streamId, length: 0 });
}
