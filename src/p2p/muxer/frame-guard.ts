/** Bounds what one connection makes us do and hold, between the decrypted bytes and the yamux decoder. */
import type { Clock } from "../../base/clock.ts";
import type { ConnectionMeter } from "../budgets/connection-meter.ts";
import { FrameLimits } from "./frame-limits.ts";
import { FLAG, FRAME_TYPE, type FramePart, FrameSplitter } from "./frame-splitter.ts";

/** The muxer as the guard sees it. */
export interface GuardedMuxer {
  readonly streams: readonly GuardedStream[];
}

interface GuardedStream {
  readonly id: string;
  /** Empty until negotiated. While it is, libp2p holds the stream's bytes where no one can count them. */
  readonly protocol: string;
  readonly readBufferLength: number;
  readonly writeBufferLength: number;
}

/** Memory of a small chunk beyond its bytes. */
const CHUNK_OVERHEAD_BYTES = 256;
/** Work of a message or frame, in bytes that cost as much to receive. */
const MESSAGE_COST_BYTES = 256;
const STREAM_COST_BYTES = 8 * 1024;
/** Measure again after this many bytes: counting all streams costs more than receiving a heartbeat. */
const MEASURE_EVERY_BYTES = 16 * 1024;

export class FrameGuard {
  readonly #muxer: GuardedMuxer;
  readonly #meter: ConnectionMeter;
  readonly #unsent: () => number;
  readonly #splitter: FrameSplitter;
  /** Bytes that arrived on a stream and may not have been read, with their overhead. */
  readonly #unread = new Map<string, number>();
  #sinceMeasuredBytes = 0;

  /** `unsent`: bytes that wait to be sent on the connection. */
  constructor(muxer: GuardedMuxer, meter: ConnectionMeter, clock: Clock, unsent: () => number) {
    this.#muxer = muxer;
    this.#meter = meter;
    this.#unsent = unsent;
    const limits = new FrameLimits(clock);
    this.#splitter = new FrameSplitter((header) => {
      limits.check(header);
      meter.spend((header.flags & FLAG.syn) !== 0 && header.type !== FRAME_TYPE.ping ? STREAM_COST_BYTES : MESSAGE_COST_BYTES);
    });
  }

  /** Passes `chunk` on in complete frames. Throws a PartnerdError if the far end exceeds a limit; the connection must then be cut. */
  receive(chunk: Uint8Array, pass: (bytes: Uint8Array) => void): void {
    this.#meter.decrypted();
    this.#meter.spend(MESSAGE_COST_BYTES);
    for (const part of this.#splitter.push(chunk)) {
      for (const bytes of part.bytes) pass(bytes);
      this.#account(part);
    }
  }

  #account({ streamId, length }: FramePart): void {
    if (length > 0) {
      const id = String(streamId);
      const stream = this.#muxer.streams.find((each) => each.id === id);
      if (stream !== undefined && isHolding(stream))
        this.#unread.set(id, (this.#unread.get(id) ?? 0) + length + CHUNK_OVERHEAD_BYTES);
    }
    // A control frame can cost memory too: its answer may have to wait.
    this.#sinceMeasuredBytes += length + CHUNK_OVERHEAD_BYTES;
    if (this.#sinceMeasuredBytes < MEASURE_EVERY_BYTES) return;
    this.#sinceMeasuredBytes = 0;
    this.#meter.hold(this.#measure());
  }

  #measure(): number {
    let bytes = this.#unsent();
    const holding = new Set<string>();
    for (const stream of this.#muxer.streams) {
      bytes += stream.writeBufferLength;
      if (isHolding(stream)) holding.add(stream.id);
    }
    for (const [id, unread] of this.#unread) {
      if (holding.has(id)) bytes += unread;
      else this.#unread.delete(id);
    }
    return bytes;
  }
}

/** Whether bytes that arrived on the stream may still wait in it. */
function isHolding({ protocol, readBufferLength }: GuardedStream): boolean {
  return protocol === "" || readBufferLength > 0;
}
