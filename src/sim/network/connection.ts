/** One end of a simulated libp2p connection: what TCP, noise and yamux make of a link once both ends know each other. */
import {
  ConnectionClosedError,
  MuxerClosedError,
  TooManyOutboundProtocolStreamsError,
  UnsupportedProtocolError,
} from "@libp2p/interface";
import { toPartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { abortable } from "../../base/pause.ts";
import { MAX_STREAMS_PER_CONNECTION } from "../../p2p/constants.ts";
import type { HostConnection } from "../../p2p/host/host.ts";
import { connectionReset } from "./errors.ts";
import type { Frame, StreamFrame } from "./frames.ts";
import { FAREWELL, GOODBYE, PING, PONG } from "./frames.ts";
import type { LinkEnd, Socket } from "./link.ts";
import type { StreamCarrier } from "./stream.ts";
import { SimStream } from "./stream.ts";

/** libp2p does its own accounts before it hands over a negotiated stream; whoever aborts, or ends it, meanwhile comes too late. */
const HANDING_OVER_MS = 1;

/** A stream of ours whose protocol the far end has not answered yet. */
interface Negotiation {
  readonly protocol: string;
  readonly answer: PromiseWithResolvers<SimStream>;
}

export class SimConnection implements HostConnection, Socket {
  readonly remotePeer: PeerId;
  readonly direction: "inbound" | "outbound";
  status: HostConnection["status"] = "open";
  readonly muxer = { ping: (): Promise<number> => this.#ping() };
  readonly #link: LinkEnd;
  readonly #streams = new Map<number, SimStream>();
  readonly #negotiations = new Map<number, Negotiation>();
  readonly #carrier: StreamCarrier = {
    send: (frame) => this.#link.send(frame),
    ended: (stream) => this.#streamEnded(stream),
  };
  readonly #over = Promise.withResolvers<void>();
  #nextStreamId: number;
  #pong: PromiseWithResolvers<number> | undefined;
  #pingedAtMs = 0;

  constructor(link: LinkEnd, remotePeer: PeerId, direction: "inbound" | "outbound") {
    this.#link = link;
    this.remotePeer = remotePeer;
    this.direction = direction;
    this.#nextStreamId = direction === "outbound" ? 1 : 2;
    link.attach(this);
  }

  get streams(): readonly SimStream[] {
    return [...this.#streams.values()];
  }

  stream(id: number): SimStream | undefined {
    return this.#streams.get(id);
  }

  /** The same connection as the far end has it; undefined where it has it not, not yet or not any more. */
  get otherEnd(): SimConnection | undefined {
    const socket = this.#link.farSocket;
    return socket instanceof SimConnection ? socket : undefined;
  }

  async newStream(protocol: string, { signal }: { readonly signal: AbortSignal }): Promise<SimStream> {
    signal.throwIfAborted();
    if (this.status !== "open") throw new ConnectionClosedError(`The connection is "${this.status}" and not "open"`);
    if (this.#count("outbound") >= MAX_STREAMS_PER_CONNECTION)
      throw new TooManyOutboundProtocolStreamsError("max outbound streams exceeded");
    const stream = this.#add(this.#nextStreamId, "outbound", "");
    this.#nextStreamId += 2;
    const answer = Promise.withResolvers<SimStream>();
    this.#negotiations.set(stream.id, { protocol, answer });
    this.#link.send({ kind: "open", streamId: stream.id, protocol });
    const onAbort = () => {
      if (this.#negotiations.has(stream.id)) stream.abort(toPartnerdError(signal.reason));
    };
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await answer.promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  async close({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    if (this.status === "open") {
      this.status = "closing";
      for (const stream of this.streams) stream.finish();
      this.#link.send(GOODBYE);
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
        this.#streams.get(frame.streamId)?.received(frame);
        break;
      case "ping":
        this.#link.send(PONG);
        break;
      case "pong":
        this.#receivedPong();
        break;
      case "open":
        this.#receivedOpen(frame.streamId, frame.protocol);
        break;
      case "accept":
      case "unsupported":
        this.#receivedAnswer(frame);
        break;
      case "goodbye":
        this.#link.send(FAREWELL);
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
        // Both ends have done with the handshake.
        break;
    }
  }

  drained(): void {
    for (const stream of this.streams) stream.drained();
  }

  lost(): void {
    if (!this.#isOver) this.#end("closed");
  }

  get #isOver(): boolean {
    return this.status !== "open" && this.status !== "closing";
  }

  /** One at a time; a second one at once is a bug of its caller. It never settles on a connection that ends meanwhile. */
  #ping(): Promise<number> {
    if (this.status !== "open") return Promise.reject(new MuxerClosedError("Muxer closed"));
    if (this.#pong !== undefined) return Promise.reject(new Error("a ping is under way already"));
    this.#pong = Promise.withResolvers<number>();
    this.#pingedAtMs = this.#link.node.clock.monotonicMs();
    this.#link.send(PING);
    return this.#pong.promise;
  }

  #receivedPong(): void {
    const pong = this.#pong;
    this.#pong = undefined;
    pong?.resolve(this.#link.node.clock.monotonicMs() - this.#pingedAtMs);
  }

  #receivedOpen(streamId: number, protocol: string): void {
    if (this.status !== "open" || this.#count("inbound") >= MAX_STREAMS_PER_CONNECTION) {
      this.#link.send({ kind: "reset", streamId });
      return;
    }
    const handler = this.#link.node.handlerOf(protocol);
    if (handler === undefined) {
      this.#link.send({ kind: "unsupported", streamId });
      return;
    }
    const stream = this.#add(streamId, "inbound", protocol);
    this.#link.send({ kind: "accept", streamId });
    if (this.#count("inbound", protocol) > handler.limits.maxInboundStreams) stream.abort(new Error("too many inbound streams"));
    else void this.#handle(stream, handler.handle);
  }

  async #handle(
    stream: SimStream,
    handle: (stream: SimStream, connection: SimConnection) => void | Promise<void>,
  ): Promise<void> {
    try {
      await handle(stream, this);
    } catch (error) {
      stream.abort(toPartnerdError(error));
    }
  }

  #receivedAnswer({ kind, streamId }: StreamFrame): void {
    const stream = this.#streams.get(streamId);
    const negotiation = this.#negotiations.get(streamId);
    if (stream === undefined || negotiation === undefined) return;
    this.#negotiations.delete(streamId);
    const { protocol, answer } = negotiation;
    if (kind === "unsupported") {
      answer.reject(new UnsupportedProtocolError(`Protocol selection failed - could not negotiate ${protocol}`));
      stream.abort(new Error("protocol unsupported"));
      return;
    }
    stream.protocol = protocol;
    const limit = this.#link.node.handlerOf(protocol)?.limits.maxOutboundStreams ?? Number.POSITIVE_INFINITY;
    if (this.#count("outbound", protocol) > limit) {
      answer.reject(new TooManyOutboundProtocolStreamsError(`Too many outbound protocol streams for protocol "${protocol}"`));
      stream.abort(new Error("too many outbound streams"));
    } else this.#link.node.clock.schedule(HANDING_OVER_MS, () => answer.resolve(stream));
  }

  #add(id: number, direction: "inbound" | "outbound", protocol: string): SimStream {
    const stream = new SimStream({ id, direction, protocol }, this, this.#carrier);
    this.#streams.set(id, stream);
    return stream;
  }

  #streamEnded(stream: SimStream): void {
    this.#streams.delete(stream.id);
    const negotiation = this.#negotiations.get(stream.id);
    this.#negotiations.delete(stream.id);
    negotiation?.answer.reject(connectionReset());
  }

  #count(direction: "inbound" | "outbound", protocol?: string): number {
    let count = 0;
    for (const stream of this.#streams.values()) {
      if (stream.direction === direction && (protocol === undefined || stream.protocol === protocol)) count++;
    }
    return count;
  }

  /** The order of libp2p: the connection is over, its streams learn of it, then everybody else. */
  #end(status: "closed" | "aborted" | "reset"): void {
    this.status = status;
    for (const stream of this.streams) stream.connectionEnded();
    this.#over.resolve();
    this.#link.node.connectionClosed(this);
  }
}
