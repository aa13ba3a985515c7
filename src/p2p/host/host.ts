/**
 * What the partner protocol needs of a libp2p host, and nothing else: the real one satisfies these types as it is, and so does the
 * simulator's. Whoever implements them promises js-libp2p's semantics.
 */
import type { Multiaddr } from "@multiformats/multiaddr";

/** A PeerID; libp2p prints it in its canonical text. */
export interface RemotePeer {
  toString(): string;
}

type Ending = "closing" | "closed" | "aborted" | "reset";

export interface HostStreamEvents {
  /** Bytes have arrived. */
  message: { readonly data: { subarray(): Uint8Array } };
  /** The far end has sent its last byte; ours may still go there. */
  remoteCloseWrite: unknown;
  /** The stream is over. `error` is why, where it was not in good order. */
  close: { readonly error?: Error };
  /** There is room again after `send` returned false. */
  drain: unknown;
}

export interface HostStream {
  /** Empty until it is negotiated. */
  readonly protocol: string;
  readonly direction: "inbound" | "outbound";
  readonly status: "open" | Ending;
  readonly remoteWriteStatus: "writable" | "closing" | "closed";
  /** False where the far end or the wire does not keep up: the bytes are queued, and `drain` says when to go on. Throws when our side is closed. */
  send(bytes: Uint8Array): boolean;
  /** Sends what is queued, and that nothing follows. Their side stays open. */
  close(options: { readonly signal: AbortSignal }): Promise<void>;
  /** Resets both sides at once. */
  abort(error: Error): void;
  addEventListener<Type extends keyof HostStreamEvents>(type: Type, listener: (event: HostStreamEvents[Type]) => void): void;
  removeEventListener<Type extends keyof HostStreamEvents>(type: Type, listener: (event: HostStreamEvents[Type]) => void): void;
}

export interface HostConnection {
  readonly remotePeer: RemotePeer;
  readonly direction: "inbound" | "outbound";
  readonly status: "open" | Ending;
  /** All that are not over, whoever opened them. */
  readonly streams: readonly HostStream[];
  /** libp2p has it, but keeps it private; only yamux can ping. */
  readonly muxer?: { ping?(): Promise<number> };
  /** Negotiates `protocol` on a new stream. */
  newStream(protocol: string, options: { readonly signal: AbortSignal }): Promise<HostStream>;
  /** Says goodbye to the far end and waits for its own. */
  close(options: { readonly signal: AbortSignal }): Promise<void>;
  /** Cuts at once: streams and connection are over when it returns. */
  abort(error: Error): void;
}

export interface HostEvents {
  "connection:open": { readonly detail: HostConnection };
  "connection:close": { readonly detail: HostConnection };
}

export type HostStreamHandler = (stream: HostStream, connection: HostConnection) => void | Promise<void>;

export interface ProtocolLimits {
  /** At once on one connection. */
  readonly maxInboundStreams: number;
  readonly maxOutboundStreams: number;
}

export interface Host {
  /** A new connection to whoever proves the PeerID at the end of `target`; a dial to the same peer that is under way is joined. */
  dial(target: Multiaddr, options: { readonly signal: AbortSignal; readonly force: true }): Promise<HostConnection>;
  handle(protocol: string, handler: HostStreamHandler, limits: ProtocolLimits): Promise<void>;
  unhandle(protocols: string[]): Promise<void>;
  getConnections(): readonly HostConnection[];
  addEventListener<Type extends keyof HostEvents>(type: Type, listener: (event: HostEvents[Type]) => void): void;
  removeEventListener<Type extends keyof HostEvents>(type: Type, listener: (event: HostEvents[Type]) => void): void;
}

/** Who may connect, asked at each stage of a connection at which more is known. */
export interface HostGater {
  denyDialPeer(peerId: RemotePeer): boolean;
  denyOutboundEncryptedConnection(peerId: RemotePeer): boolean;
  denyInboundEncryptedConnection(peerId: RemotePeer): boolean;
}
