import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeHeader, FLAG, FRAME_TYPE, type FrameHeader, FrameSplitter } from "../../../src/p2p/muxer/frame-splitter.ts";

interface Frame {
  readonly header: FrameHeader;
  readonly payload: Uint8Array;
}

const dataFrames = fc
  .record({
    streamId: fc.integer({ min: 1, max: 0xffff_ffff }),
    flags: fc.subarray([FLAG.syn, FLAG.ack, FLAG.fin, FLAG.rst]).map((flags) => flags.reduce((one, other) => one | other, 0)),
    payload: fc.uint8Array({ maxLength: 300 }),
  })
  .map(({ streamId, flags, payload }): Frame => {
    return { header: { version: 0, type: FRAME_TYPE.data, flags, streamId, length: payload.length }, payload };
  });
const controlFrames = fc
  .record({
    version: fc.constant(0),
    type: fc.constantFrom(FRAME_TYPE.ping, FRAME_TYPE.windowUpdate, FRAME_TYPE.goAway),
    flags: fc.nat(0xffff),
    streamId: fc.nat(0xffff_ffff),
    length: fc.nat(0xffff_ffff),
  })
  .map((header): Frame => ({ header, payload: new Uint8Array() }));
const streams = fc.array(fc.oneof(dataFrames, controlFrames), { maxLength: 20 });

const encode = ({ header, payload }: Frame): Uint8Array => Buffer.concat([encodeHeader(header), payload]);

/** `bytes` cut into chunks whose sizes repeat `sizes`. */
function chunksOf(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const size = sizes[index % sizes.length] ?? 1;
    chunks.push(bytes.slice(at, at + size));
    at += size;
  }
  return chunks;
}

/** Decodes frames that must be complete, and joins parts of data frames by their flags and lengths. */
function decode(bytes: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length; ) {
    const header = {
      version: view.getUint8(at),
      type: view.getUint8(at + 1),
      flags: view.getUint16(at + 2),
      streamId: view.getUint32(at + 4),
      length: view.getUint32(at + 8),
    };
    const length = header.type === FRAME_TYPE.data ? header.length : 0;
    if (at + 12 + length > bytes.length) throw new Error("the last frame is incomplete");
    frames.push({ header, payload: bytes.slice(at + 12, at + 12 + length) });
    at += 12 + length;
  }
  return frames;
}

describe("FrameSplitter", () => {
  it("passes complete frames on unchanged, whole or in parts, wherever the bytes are cut", () => {
    fc.assert(
      fc.property(streams, fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 5 }), (frames, sizes) => {
        const headers: FrameHeader[] = [];
        const splitter = new FrameSplitter((header) => headers.push(header));
        const parts: Uint8Array[] = [];
        for (const chunk of chunksOf(Buffer.concat(frames.map(encode)), sizes))
          for (const part of splitter.push(chunk)) parts.push(Buffer.concat(part.bytes));
        // Each part decodes by itself, which is what keeps the decoder's buffer empty.
        const received = parts.flatMap((part) => decode(part));
        expect(headers).toEqual(frames.map(({ header }) => header));
        expect(joined(received, frames)).toEqual(
          frames.map(({ header, payload }) => ({ header, payload: Buffer.from(payload) })),
        );
      }),
    );
  });

  it("passes on what has arrived of a data frame, and keeps nothing", () => {
    const splitter = new FrameSplitter(() => {});
    const header = encodeHeader({ version: 0, type: FRAME_TYPE.data, flags: FLAG.syn | FLAG.fin, streamId: 7, length: 5 });
    const passed = (bytes: number[]) =>
      [...splitter.push(Uint8Array.from(bytes))].map(({ bytes: part }) => decode(Buffer.concat(part))[0]);
    expect([...splitter.push(header)]).toEqual([]);
    expect(passed([1, 2])).toMatchObject([{ header: { flags: FLAG.syn, length: 2 }, payload: Buffer.of(1, 2) }]);
    expect(passed([3])).toMatchObject([{ header: { flags: 0, length: 1 } }]);
    expect(passed([4, 5])).toMatchObject([{ header: { flags: FLAG.fin, length: 2 }, payload: Buffer.of(4, 5) }]);
  });

  it("shows a header before its payload has arrived", () => {
    const splitter = new FrameSplitter(({ length }) => {
      throw new Error(`${length} bytes`);
    });
    const header = encodeHeader({ version: 0, type: FRAME_TYPE.data, flags: 0, streamId: 1, length: 0xffff_ffff });
    expect(() => [...splitter.push(header)]).toThrow("4294967295 bytes");
  });

  it("copies a few bytes out of a large buffer, so that they do not keep it in memory", () => {
    const splitter = new FrameSplitter(() => {});
    const large = new Uint8Array(64 * 1024);
    large.set(encodeHeader({ version: 0, type: FRAME_TYPE.data, flags: 0, streamId: 1, length: 1 }));
    const [part] = splitter.push(large.subarray(0, 13));
    expect(part?.bytes[1]?.buffer.byteLength).toBe(1);
  });
});

/** Parts of one data frame follow each other; `sent` says how long each was. */
function joined(parts: readonly Frame[], sent: readonly Frame[]): Frame[] {
  const rest = [...parts];
  return sent.map(({ payload: whole }) => {
    const first = rest.shift();
    if (first === undefined) throw new Error("a frame is missing");
    let { flags } = first.header;
    const payloads = [first.payload];
    while (Buffer.concat(payloads).length < whole.length) {
      const next = rest.shift();
      if (next === undefined) throw new Error("a part is missing");
      flags |= next.header.flags;
      payloads.push(next.payload);
    }
    const payload = Buffer.concat(payloads);
    return {
      header: { ...first.header, flags, length: first.header.type === FRAME_TYPE.data ? payload.length : first.header.length },
      payload,
    };
  });
}
