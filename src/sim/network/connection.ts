/** One end of a simulated libp2p connection: TCP, noise and yamux on top of a link, after the handshake. */
import { ConnectionClosedError, MuxerClosedError } from "@libp2p/interface";
import { toPartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { abortable } from "../../base/pause.ts";
import type { HostConnection, HostStreamHandler } from "../../p2p/host/host.ts";
import type { Frame } from "./frames.ts";
import type { LinkEnd, Socket } from "./link.ts";
import { type ProtocolHost, StreamNegotiator } from "./negotiator.ts";
import type { SimPartnerStream } from "./stream.ts";

/** The interface of a node to its connections. */
export interface ConnectionHost extends ProtocolHost {
  connectionClosed(connection: SimConnection): void;
}

export class SimConnection implements HostConnection, Socket {
  readonly remotePeer: PeerId;
  readonly direction: "inbound" | "outbound";
  status: HostConnection["status"] = "open";
  readonly muxer = { ping: (): Promise<number> => this.#ping() };
  readonly #link: LinkEnd;
  readonly #host: ConnectionHost;
  readonly #negotiator: StreamNegotiator;
  readonly #over = Promise.withResolvers<void>();
  #pong: PromiseWithResolvers<number> | undefined;
  #pingedAtMs = 0;

  constructor(link: LinkEnd, host: ConnectionHost, remotePeer: PeerId, direction: "inbound" | "outbound") {
    this.#link = link;
    this.#host = host;
    this.remotePeer = remotePeer;
    this.direction = direction;
    this.#negotiator = new StreamNegotiator(host, direction === "outbound" ? 1 : 2, {
      send: (frame) => link.send(frame),
      otherEndOf: (id) => this.otherEnd?.stream(id),
      accepted: (stream, handle) => void this.#handle(stream, handle),
    });
    link.attach(this);
  }

  get streams(): readonly SimPartnerStream[] {
    return this.#negotiator.streams;
  }

  stream(id: number): SimPartnerStream | undefined {
    return this.#negotiator.stream(id);
  }

  async newStream(protocol: string, { signal }: { readonly signal: AbortSignal }): Promise<SimPartnerStream> {
    signal.throwIfAborted();
    if (this.status !== "open") throw new ConnectionClosedError(`The connection is "${this.status}" and not "open"`);
    return this.#negotiator.open(protocol, signal);
  }

  async close({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    if (this.status === "open") {
      this.status = "closing";
      for (const stream of this.streams) stream.finish();
      this.#link.send({ kind: "goodbye" });
    }
    await abortable(this.#over.promise, signal);
  }

  abort(_error: Error): void {
    if (this.#isOver) return;
    this.#link.cut();
    this.#end("aborted");
  }

  received(frame: Frame): void {
    switch (frame.kind) {
      case "data":
      case "fin":
      case "reset":
        this.stream(frame.streamId)?.received(frame);
        break;
      case "ping":
        this.#link.send({ kind: "pong" });
        break;
      case "pong":
        this.#receivedPong();
        break;
      case "open":
        this.#negotiator.receivedOpen(frame.streamId, frame.protocol, this.status !== "open");
        break;
      case "accept":
      case "unsupported":
        this.#negotiator.receivedAnswer(frame);
        break;
      case "goodbye":
        this.#link.send({ kind: "farewell" });
        this.#link.leave();
        this.#end("closed");
        break;
      case "farewell":
        this.#link.leave();
        this.#end("closed");
        break;
      case "cut":
        this.#link.leave();
        this.#end("reset");
        break;
      case "tcp_accepted":
      case "hello":
      case "identity":
      case "dialler":
        // Only sent before a connection takes over the socket.
        break;
    }
  }

  drained(): void {
    for (const stream of this.streams) stream.drained();
  }

  lost(): void {
    if (!this.#isOver) this.#end("closed");
  }

  /** The same connection at the far end; undefined while it does not exist there. */
  get otherEnd(): SimConnection | undefined {
    const socket = this.#link.farSocket;
    return socket instanceof SimConnection ? socket : undefined;
  }

  get #isOver(): boolean {
    return this.status !== "open" && this.status !== "closing";
  }

  /** Sends a ping; at most one at a time. Never settles if the connection ends in the meantime, as in libp2p. */
  #ping(): Promise<number> {
    if (this.status !== "open") return Promise.reject(new MuxerClosedError("Muxer closed"));
    if (this.#pong !== undefined) return Promise.reject(new Error("a ping is already in progress"));
    this.#pong = Promise.withResolvers<number>();
    this.#pingedAtMs = this.#host.clock.monotonicMs();
    this.#link.send({ kind: "ping" });
    return this.#pong.promise;
  }

  #receivedPong(): void {
    const pong = this.#pong;
    this.#pong = undefined;
    pong?.resolve(this.#host.clock.monotonicMs() - this.#pingedAtMs);
  }

  async #handle(stream: SimPartnerStream, handle: HostStreamHandler): Promise<void> {
    try {
      await handle(stream, this);
    } catch (error) {
      stream.abort(toPartnerdError(error));
    }
  }

  /** In libp2p's order: the connection ends, then its streams are told, then everyone else. */
  #end(status: "closed" | "aborted" | "reset"): void {
    this.status = status;
    for (const stream of this.streams) stream.connectionEnded();
    this.#over.resolve();
    this.#host.connectionClosed(this);
  }
}
