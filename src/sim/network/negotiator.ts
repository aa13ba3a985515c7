/** The streams of one connection, and the negotiation of their protocols. */
import { StreamResetError, TooManyOutboundProtocolStreamsError, UnsupportedProtocolError } from "@libp2p/interface";
import type { Clock } from "../../base/clock.ts";
import { toPartnerdError } from "../../base/errors.ts";
import type { HostStreamHandler, ProtocolLimits } from "../../p2p/host/host.ts";
import { MAX_STREAMS_PER_CONNECTION } from "../../p2p/wire/constants.ts";
import { connectionReset } from "./errors.ts";
import type { StreamFrame } from "./frames.ts";
import { SimPartnerStream, type StreamCarrier } from "./stream.ts";

/** libp2p does its own accounting before it hands over a negotiated stream; an abort or close during that time is too late. */
const HANDING_OVER_MS = 1;

/** A node's handler of one protocol. */
export interface StreamHandler {
  readonly handle: HostStreamHandler;
  readonly limits: ProtocolLimits;
}

/** The interface of a node to protocol negotiation. */
export interface ProtocolHost {
  readonly clock: Clock;
  handlerOf(protocol: string): StreamHandler | undefined;
}

/** The interface of a connection to protocol negotiation. */
export interface NegotiatorEvents extends Omit<StreamCarrier, "ended"> {
  /** The far end opened `stream`, which `handle` serves. */
  accepted(stream: SimPartnerStream, handle: HostStreamHandler): void;
}

/** An outbound stream whose protocol the far end has not confirmed yet. */
interface Negotiation {
  readonly protocol: string;
  readonly answer: PromiseWithResolvers<SimPartnerStream>;
}

export class StreamNegotiator {
  readonly #host: ProtocolHost;
  readonly #on: NegotiatorEvents;
  readonly #carrier: StreamCarrier;
  readonly #streams = new Map<number, SimPartnerStream>();
  readonly #negotiations = new Map<number, Negotiation>();
  #nextStreamId: number;

  constructor(host: ProtocolHost, firstStreamId: number, on: NegotiatorEvents) {
    this.#host = host;
    this.#nextStreamId = firstStreamId;
    this.#on = on;
    this.#carrier = { ...on, ended: (stream) => this.#ended(stream) };
  }

  get streams(): readonly SimPartnerStream[] {
    return [...this.#streams.values()];
  }

  stream(id: number): SimPartnerStream | undefined {
    return this.#streams.get(id);
  }

  async open(protocol: string, signal: AbortSignal): Promise<SimPartnerStream> {
    if (this.#count("outbound") >= MAX_STREAMS_PER_CONNECTION)
      throw new TooManyOutboundProtocolStreamsError("max outbound streams exceeded");
    const stream = this.#add(this.#nextStreamId, "outbound", "");
    this.#nextStreamId += 2;
    const answer = Promise.withResolvers<SimPartnerStream>();
    this.#negotiations.set(stream.id, { protocol, answer });
    this.#on.send({ kind: "open", streamId: stream.id, protocol });
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

  /** The far end opens a stream. `refused`: the connection accepts no more. */
  receivedOpen(streamId: number, protocol: string, refused: boolean): void {
    if (refused || this.#count("inbound") >= MAX_STREAMS_PER_CONNECTION) {
      this.#on.send({ kind: "reset", streamId });
      return;
    }
    const handler = this.#host.handlerOf(protocol);
    if (handler === undefined) {
      this.#on.send({ kind: "unsupported", streamId });
      return;
    }
    const stream = this.#add(streamId, "inbound", protocol);
    this.#on.send({ kind: "accept", streamId });
    if (this.#count("inbound", protocol) > handler.limits.maxInboundStreams) stream.abort(new Error("too many inbound streams"));
    else this.#on.accepted(stream, handler.handle);
  }

  /** The far end has answered our request for a protocol. */
  receivedAnswer({ kind, streamId }: StreamFrame): void {
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
    const limit = this.#host.handlerOf(protocol)?.limits.maxOutboundStreams ?? Number.POSITIVE_INFINITY;
    if (this.#count("outbound", protocol) > limit) {
      answer.reject(new TooManyOutboundProtocolStreamsError(`Too many outbound protocol streams for protocol "${protocol}"`));
      stream.abort(new Error("too many outbound streams"));
    } else this.#host.clock.schedule(HANDING_OVER_MS, () => answer.resolve(stream));
  }

  #add(id: number, direction: "inbound" | "outbound", protocol: string): SimPartnerStream {
    const stream = new SimPartnerStream({ id, direction, protocol }, this.#carrier);
    this.#streams.set(id, stream);
    return stream;
  }

  #ended(stream: SimPartnerStream): void {
    this.#streams.delete(stream.id);
    const negotiation = this.#negotiations.get(stream.id);
    this.#negotiations.delete(stream.id);
    negotiation?.answer.reject(stream.status === "reset" ? new StreamResetError() : connectionReset());
  }

  #count(direction: "inbound" | "outbound", protocol?: string): number {
    let count = 0;
    for (const stream of this.#streams.values()) {
      if (stream.direction === direction && (protocol === undefined || stream.protocol === protocol)) count++;
    }
    return count;
  }
}
