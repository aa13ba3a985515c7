/** The bytes of a connection after decryption, into the real yamux behind its guard. */

import type { MessageStream, Stream } from "@libp2p/interface";
import fc from "fast-check";
import { isFault } from "../../../src/base/errors.ts";
import { Meter, StrangersBudget } from "../../../src/p2p/budgets/connection-meter.ts";
import { boundedYamux } from "../../../src/p2p/muxer/bounded-yamux.ts";
import { STREAM_WINDOW_BYTES } from "../../../src/p2p/muxer/frame-limits.ts";
import { encodeHeader } from "../../../src/p2p/muxer/frame-splitter.ts";
import { MAX_STREAMS_PER_CONNECTION } from "../../../src/p2p/wire/constants.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { chunksOf, sizesFrom } from "../engine/chunks.ts";
import { promise, type Target } from "../target.ts";

const flags = fc.oneof(fc.constantFrom(0, 0, 1, 2, 4, 8, 3, 5), fc.nat(15), fc.nat(0xffff));
const streamId = fc.oneof(fc.constantFrom(0, 1, 2, 3, 5, 0xffff_ffff), fc.nat(80));
const length = fc.oneof(fc.constantFrom(0, 1, 3, 262_144, 262_145, 0xffff_ffff), fc.nat(0xffff_ffff));
const payload = fc.uint8Array({ maxLength: 100 });
const control = fc
  .record({ version: fc.constant(0), type: fc.oneof(fc.constantFrom(1, 2, 3), fc.nat(255)), flags, streamId, length })
  .map(encodeHeader);
const data = fc
  .record({ flags, streamId, payload, claimed: fc.option(length, { nil: undefined, freq: 10 }) })
  .map(({ payload: bytes, claimed = bytes.length, ...rest }) =>
    Buffer.concat([encodeHeader({ version: 0, type: 0, ...rest, length: claimed }), bytes]),
  );
const frames = fc.array(fc.oneof(control, data), { maxLength: 40 }).map((list) => Buffer.concat(list));

/** Codes of our own limits. The library has errors without a code for invalid frames. */
const LIMITS = new Set(["frame_invalid", "flooded", "buffer_full"]);

export const yamux: Target = {
  name: "yamux",
  what: "src/p2p/muxer/",
  arbitrary: frames,
  async run(input) {
    const clock = new VirtualClock();
    const connection = new FakeConnection((input[0] ?? 0) % 16 === 15);
    using meter = new Meter({ connection, clock, strangers: new StrangersBudget(), isStranger: () => true });
    const muxer = boundedYamux({ clock, onExceeded: () => {}, meterOf: () => meter })().createStreamMuxer(
      connection.asMessageStream(),
    );
    const largest = watchFrames(muxer);
    muxer.addEventListener("stream", ({ detail }) => use(detail));
    for (const chunk of chunksOf(input, sizesFrom(input, 2_000))) {
      if (connection.aborted !== undefined) break;
      connection.receive(chunk);
      promise(largest.bufferedBytes() < 12, "the decoder holds no more than a part of a header", largest.bufferedBytes());
      promise(muxer.streams.length <= 2 * MAX_STREAMS_PER_CONNECTION, "streams have a bound", muxer.streams.length);
    }
    await new Promise((resolve) => setImmediate(resolve));
    const { aborted } = connection;
    if (aborted !== undefined) checkCause(aborted);
    muxer.abort(new Error("the input is over"));
    connection.close();
    await new Promise((resolve) => setImmediate(resolve));
    promise(muxer.streams.length === 0, "no stream outlives its connection", muxer.streams.length);
  },
};

function checkCause(error: Error): void {
  const code: unknown = Reflect.get(error, "code");
  promise(!isFault(error), "a connection is not cut by a fault", error.stack);
  promise(typeof code !== "string" || LIMITS.has(code), "the reason is documented", code);
}

/** Some streams are echoed, some are read, and some are left unread. */
function use(stream: Stream): void {
  const choice = Number(stream.id) % 3;
  if (choice === 0) return;
  stream.addEventListener("message", ({ data: bytes }) => {
    if (choice === 2 && stream.writeStatus === "writable") stream.send(bytes);
  });
  stream.addEventListener("remoteCloseWrite", () => {
    stream.close().catch(() => {});
  });
}

/** The library's decoder, which has no public reader. */
function watchFrames(muxer: object): { bufferedBytes(): number } {
  const decoder = Reflect.get(muxer, "decoder") as { readonly buffer: { readonly byteLength: number } };
  promise(decoder.buffer.byteLength <= STREAM_WINDOW_BYTES, "the decoder starts empty");
  return { bufferedBytes: () => decoder.buffer.byteLength };
}

type Log = ((text: string) => void) & { error(): void; trace(): void; newScope(): Log };
const silent: Log = Object.assign(() => {}, { error: () => {}, trace: () => {}, newScope: () => silent });

/** The network below the muxer: what is sent disappears, or is never accepted. */
class FakeConnection extends EventTarget {
  readonly log = silent;
  readonly direction = "inbound";
  readonly timeline = { open: 0 };
  status = "open";
  writeBufferLength = 0;
  maxWriteBufferLength = 0;
  aborted: Error | undefined;
  readonly #isStuck: boolean;

  constructor(isStuck: boolean) {
    super();
    this.#isStuck = isStuck;
  }

  asMessageStream(): MessageStream {
    return this as unknown as MessageStream;
  }

  receive(data: Uint8Array): void {
    this.dispatchEvent(Object.assign(new Event("message"), { data }));
  }

  send(bytes: { readonly byteLength: number }): boolean {
    if (this.#isStuck) this.writeBufferLength += bytes.byteLength;
    return !this.#isStuck;
  }

  abort(error: Error): void {
    this.aborted ??= error;
    this.close();
  }

  close(): void {
    if (this.status !== "open") return;
    this.status = "closed";
    this.dispatchEvent(new Event("close"));
  }

  pause(): void {}

  resume(): void {}
}
