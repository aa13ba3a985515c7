/**
 * The partner protocol's port to a libp2p host. The real host satisfies these types as it is, and so does the simulator's. An
 * implementation must have js-libp2p's semantics.
 */
import type { Multiaddr } from "@multiformats/multiaddr";

/** A PeerID; toString() gives its canonical text. */
export interface RemotePeer {
  toString(): string;
}

type Ending = "closing" | "closed" | "aborted" | "reset";

export interface HostStreamEvents {
  /** Bytes have arrived. */
  message: { readonly data: { subarray(): Uint8Array } };
  /** The far end has closed its side; we can still send. */
  remoteCloseWrite: unknown;
  /** The stream has closed; `error` is set unless it closed gracefully. */
  close: { readonly error?: Error };
  /** There is room again after `send` has returned false. */
  drain: unknown;
}

export interface HostStream {
  /** Empty until negotiated. */
  readonly protocol: string;
  readonly direction: "inbound" | "outbound";
  readonly status: "open" | Ending;
  readonly remoteWriteStatus: "writable" | "closing" | "closed";
  /** False if the far end or the network does not keep up: the bytes are queued, and `drain` follows. Throws if our side is closed. */
  send(bytes: Uint8Array): boolean;
  /** Sends what is queued and closes our side. The far end's side stays open. */
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
  /** Shared by all layers of the connection. Only libp2p has it. */
  readonly timeline?: object | undefined;
  /** All open streams, whichever side opened them. */
  readonly streams: readonly HostStream[];
  /** The protocol of the muxer. */
  readonly multiplexer?: string | undefined;
  /** Private in libp2p. Only yamux can ping. */
  readonly muxer?: { ping?(): Promise<number> };
  /** Negotiates `protocol` on a new stream. */
  newStream(protocol: string, options: { readonly signal: AbortSignal }): Promise<HostStream>;
  /** Closes gracefully: waits for the far end to close too. */
  close(options: { readonly signal: AbortSignal }): Promise<void>;
  /** Closes at once; streams and connection are closed when it returns. */
  abort(error: Error): void;
}

export interface HostEvents {
  "connection:open": { readonly detail: HostConnection };
  "connection:close": { readonly detail: HostConnection };
}

export type HostStreamHandler = (stream: HostStream, connection: HostConnection) => void | Promise<void>;

export interface ProtocolLimits {
  /** Most open streams on one connection. */
  readonly maxInboundStreams: number;
  readonly maxOutboundStreams: number;
}

export interface Host {
  /** Opens a new connection to `target`, whose PeerID the far end must prove. Joins a current dial to the same peer. */
  dial(target: Multiaddr, options: { readonly signal: AbortSignal; readonly force: true }): Promise<HostConnection>;
  handle(protocol: string, handler: HostStreamHandler, limits: ProtocolLimits): Promise<void>;
  unhandle(protocols: string[]): Promise<void>;
  getConnections(): readonly HostConnection[];
  addEventListener<Type extends keyof HostEvents>(type: Type, listener: (event: HostEvents[Type]) => void): void;
  removeEventListener<Type extends keyof HostEvents>(type: Type, listener: (event: HostEvents[Type]) => void): void;
}

/** Decides who may connect; asked at each stage of opening a connection. */
export interface HostGater {
  denyDialPeer(peerId: RemotePeer): boolean;
  denyOutboundEncryptedConnection(peerId: RemotePeer): boolean;
  denyInboundEncryptedConnection(peerId: RemotePeer): boolean;
}
