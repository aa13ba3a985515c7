/**
 * Splits yamux bytes at frame borders, without buffering. A data frame that arrives in pieces is passed on as several smaller ones.
 * The yamux decoder waits for a whole frame, and so never holds more than has just arrived. Pure.
 */

/** The header of every yamux frame has 12 bytes: version, type, flags (2), stream id (4), length (4). */
const HEADER_BYTES = 12;
export const FRAME_TYPE = { data: 0, windowUpdate: 1, ping: 2, goAway: 3 } as const;
export const FLAG = { syn: 1, ack: 2, fin: 4, rst: 8 } as const;
const OPENING_FLAGS = FLAG.syn | FLAG.ack;
const CLOSING_FLAGS = FLAG.fin | FLAG.rst;

export interface FrameHeader {
  readonly version: number;
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  /** Bytes that follow a data frame's header; in other frames a number with another meaning. */
  readonly length: number;
}

/** A complete frame, or a part of a data frame made complete with a header of its own. */
export interface FramePart {
  readonly streamId: number;
  /** The payload bytes in this part. */
  readonly length: number;
  /** Header and payload. */
  readonly bytes: readonly Uint8Array[];
}

export class FrameSplitter {
  readonly #onHeader: (header: FrameHeader) => void;
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerBytes = 0;
  /** The data frame that has arrived in part: its original header, and how much of its payload is missing. */
  #open: { readonly header: FrameHeader; missing: number } | undefined;

  /** `onHeader` sees the header of each frame as soon as it has arrived, before any of its payload, and may throw. */
  constructor(onHeader: (header: FrameHeader) => void) {
    this.#onHeader = onHeader;
  }

  /** The frames that `chunk` completes, and the part of the next frame that has arrived. Throws what `onHeader` throws. */
  *push(chunk: Uint8Array): Generator<FramePart, void> {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#open === undefined) {
        const taken = Math.min(HEADER_BYTES - this.#headerBytes, rest.length);
        this.#header.set(rest.subarray(0, taken), this.#headerBytes);
        this.#headerBytes += taken;
        rest = rest.subarray(taken);
        if (this.#headerBytes < HEADER_BYTES) return;
        this.#headerBytes = 0;
        const header = parseHeader(this.#header);
        this.#onHeader(header);
        if (header.type === FRAME_TYPE.data && header.length > 0) this.#open = { header, missing: header.length };
        else yield { streamId: header.streamId, length: 0, bytes: [this.#header.slice()] };
      } else {
        const { header } = this.#open;
        const payload = rest.subarray(0, this.#open.missing);
        const isFirst = this.#open.missing === header.length;
        const isLast = this.#open.missing === payload.length;
        rest = rest.subarray(payload.length);
        if (isLast) this.#open = undefined;
        else this.#open.missing -= payload.length;
        const flags = header.flags & ((isFirst ? OPENING_FLAGS : 0) | (isLast ? CLOSING_FLAGS : 0));
        const part = encodeHeader({ ...header, flags, length: payload.length });
        yield { streamId: header.streamId, length: payload.length, bytes: [part, unpinned(payload)] };
      }
    }
  }
}

/** A few bytes of a large read buffer would keep all of it in memory for as long as they wait in a stream. */
function unpinned(payload: Uint8Array): Uint8Array {
  return payload.length * 2 < payload.buffer.byteLength ? payload.slice() : payload;
}

function parseHeader(bytes: Uint8Array): FrameHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  return {
    version: view.getUint8(0),
    type: view.getUint8(1),
    flags: view.getUint16(2),
    streamId: view.getUint32(4),
    length: view.getUint32(8),
  };
}

export function encodeHeader({ version, type, flags, streamId, length }: FrameHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, version);
  view.setUint8(1, type);
  view.setUint16(2, flags);
  view.setUint32(4, streamId);
  view.setUint32(8, length);
  return bytes;
}
