/** A clone's late acknowledgement moves our consumer: it then skips messages that the stream still holds. */
import { afterEach, describe, expect, test } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import type { BrokerMessage, PullListener } from "../../../src/ingest/broker/broker-port.ts";
import type { ReceivedMessage } from "../../../src/ingest/ingest-buffer.ts";
import type { ReadingEnd } from "../../../src/ingest/stream/reading-end.ts";
import { StreamReading } from "../../../src/ingest/stream/stream-reading.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";

const CURSOR = { stream: "S", created: "2026-01-01T00:00:00Z", sequence: 0, firstSequence: 1, messageHash: "hash" };

const buffered: ReceivedMessage[] = [];
const ends: ReadingEnd[] = [];
let reading: StreamReading | undefined;
afterEach(() => {
  reading?.[Symbol.dispose]();
  buffered.length = 0;
  ends.length = 0;
});

/** The consumer's delivery number `delivery`. */
const message = (delivery: number, sequence: number): BrokerMessage => ({
  subject: "s",
  data: new Uint8Array(1),
  reply: `$JS.ACK.S.C.1.${sequence}.${delivery}.1000.0`,
});

/** A reading of a stream that holds these sequences. */
function start({ holds }: { readonly holds: readonly number[] | PartnerdError }) {
  const opened = Promise.withResolvers<PullListener>();
  const link = {
    openPull: (listener: PullListener) => {
      opened.resolve(listener);
      return { request: () => {}, [Symbol.dispose]: () => {} };
    },
    acknowledge: () => {},
    isClosed: () => false,
    hashAt: async (sequence: number) => {
      if (holds instanceof PartnerdError) throw holds;
      return holds.includes(sequence) ? "hash" : undefined;
    },
  };
  reading = new StreamReading({
    link,
    clock: new VirtualClock(),
    cursor: CURSOR,
    consumerSequence: 1,
    window: 10,
    hadUpTo: 0,
    buffer: {
      offer: (received) => buffered.push(received) > 0,
      counts: () => ({ dropped: 0, buffered: buffered.length, capacity: 10 }),
    },
    onProgress: () => {},
    onLogged: () => {},
    onEnded: (end) => ends.push(end),
  });
  return opened.promise;
}

const sequences = () => buffered.map(({ position }) => position?.sequence);
const gaps = () => buffered.flatMap(({ gaps: found = [] }) => found);
const answered = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("if a message comes out of sequence", () => {
  test.each([
    ["the first", [2]],
    ["the last", [4]],
  ])("reading restarts if the stream holds %s of the skipped messages", async (_, holds) => {
    const listener = await start({ holds });
    listener.message(message(1, 1));
    listener.message(message(2, 5));
    listener.message(message(3, 6));
    await answered();
    expect(sequences()).toEqual([1]);
    expect(ends).toEqual([{ reason: "consumer_moved", facts: { first: 2, last: 4 } }]);
  });

  test("reading restarts if the stream holds the only message that was skipped", async () => {
    const listener = await start({ holds: [2] });
    listener.message(message(1, 1));
    listener.message(message(2, 3));
    await answered();
    expect(ends).toEqual([{ reason: "consumer_moved", facts: { first: 2, last: 2 } }]);
  });

  test("a gap in the stream is recorded, and the messages after it keep their order, also over a second gap", async () => {
    const listener = await start({ holds: [] });
    for (const [delivery, sequence] of [1, 5, 6, 9].entries()) listener.message(message(delivery + 1, sequence));
    await answered();
    listener.message(message(5, 10));
    expect(sequences()).toEqual([1, 5, 6, 9, 10]);
    expect(gaps()).toHaveLength(2);
    expect(ends).toEqual([]);
  });

  test("an answer that fails ends the reading", async () => {
    const failure = new PartnerdError("nats_unavailable", "no answer");
    const listener = await start({ holds: failure });
    listener.message(message(1, 5));
    await answered();
    expect(sequences()).toEqual([]);
    expect(ends).toEqual([failure]);
  });

  test("nothing is taken after the reading was disposed", async () => {
    const listener = await start({ holds: [] });
    listener.message(message(1, 5));
    reading?.[Symbol.dispose]();
    await answered();
    expect(sequences()).toEqual([]);
  });
});

test("messages in sequence cost no request", async () => {
  const listener = await start({ holds: new PartnerdError("nats_unavailable", "not asked") });
  listener.message(message(1, 1));
  listener.message(message(2, 2));
  expect(sequences()).toEqual([1, 2]);
  await answered();
  expect(ends).toEqual([]);
});
