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
let requests = 0;
let reading: StreamReading | undefined;
afterEach(() => {
  reading?.[Symbol.dispose]();
  buffered.length = 0;
  ends.length = 0;
  requests = 0;
});

/** The consumer's delivery number `delivery`. */
const message = (delivery: number, sequence: number): BrokerMessage => ({
  subject: "s",
  data: new Uint8Array(1),
  reply: `$JS.ACK.S.C.1.${sequence}.${delivery}.1000.0`,
});

interface Scene {
  /** The sequences that the stream holds; or the error of each question. */
  readonly holds: readonly number[] | PartnerdError;
  readonly start?: number;
  readonly loggedUpTo?: number;
  /** Called with each question. */
  readonly onAsked?: (sequence: number) => void | Promise<void>;
}

function start({ holds, start: first = 1, loggedUpTo = 0, onAsked = () => {} }: Scene): PullListener {
  let opened: PullListener | undefined;
  const link = {
    openPull: (listener: PullListener) => {
      opened = listener;
      return { request: () => requests++, [Symbol.dispose]: () => {} };
    },
    acknowledge: () => {},
    isClosed: () => false,
    firstHeld: async (sequence: number) => {
      await onAsked(sequence);
      if (holds instanceof PartnerdError) throw holds;
      return holds.find((held) => held >= sequence);
    },
  };
  reading = new StreamReading({
    link,
    clock: new VirtualClock(),
    cursor: { ...CURSOR, sequence: loggedUpTo },
    consumerSequence: 1,
    start: first,
    window: 10,
    hadUpTo: 0,
    buffer: {
      offer: (received) => buffered.push(received) > 0,
      counts: () => ({ dropped: 0, buffered: 0, capacity: 10 }),
    },
    onProgress: () => {},
    onLogged: () => {},
    onEnded: (end) => ends.push(end),
  });
  if (opened === undefined) throw new Error("nothing was opened");
  return opened;
}

const deliver = (listener: PullListener, ...all: readonly number[]) => {
  for (const [index, sequence] of all.entries()) listener.message(message(index + 1, sequence));
};
const sequences = () => buffered.map(({ position }) => position?.sequence);
const gaps = () => buffered.flatMap(({ gaps: found = [] }) => found.map((gap) => [gap.streamSequence, gap.lastStreamSequence]));
const answered = () => new Promise<void>((resolve) => setImmediate(resolve));

test("messages in sequence cost no request", async () => {
  deliver(start({ holds: new PartnerdError("nats_unavailable", "not asked") }), 1, 2, 3);
  expect(sequences()).toEqual([1, 2, 3]);
  await answered();
  expect(ends).toEqual([]);
});

describe("if a message comes out of sequence", () => {
  test.each([2, 3, 4])("reading restarts if the stream holds message %i of those that were skipped", async (held) => {
    deliver(start({ holds: [1, held, 5, 6] }), 1, 5, 6);
    await answered();
    expect(sequences()).toEqual([1]);
    expect(ends).toEqual([{ reason: "consumer_moved", facts: { first: held, last: 4 } }]);
  });

  test("a gap in the stream is recorded, and the messages after it keep their order, also over more gaps", async () => {
    const answers = new Map<number, PromiseWithResolvers<void>>();
    const onAsked = (sequence: number) => {
      const answer = Promise.withResolvers<void>();
      answers.set(sequence, answer);
      return answer.promise;
    };
    const listener = start({ holds: [1, 5, 6, 9, 10], onAsked });
    deliver(listener, 1, 5, 6, 9, 10);
    answers.get(7)?.resolve();
    await answered();
    expect(sequences()).toEqual([1]);
    answers.get(2)?.resolve();
    await answered();
    listener.message(message(6, 11));
    expect([sequences(), gaps(), ends]).toEqual([
      [1, 5, 6, 9, 10, 11],
      [
        [2, 4],
        [7, 8],
      ],
      [],
    ]);
  });

  test("the message after the gap may have been removed since", async () => {
    deliver(start({ holds: [9] }), 5);
    await answered();
    expect([sequences(), gaps(), ends]).toEqual([[5], [[1, 4]], []]);
  });

  test("an answer that does not know the message after the gap proves nothing", async () => {
    deliver(start({ holds: [] }), 5);
    await answered();
    expect([sequences(), ends]).toEqual([[], [{ reason: "gap_unconfirmed", facts: { first: 1, last: 4 } }]]);
  });

  test("among those that are read again, reading restarts, too, but a gap there is not recorded", async () => {
    deliver(start({ holds: [3, 4, 7], start: 3, loggedUpTo: 5 }), 3, 4, 7);
    await answered();
    expect([sequences(), gaps(), ends]).toEqual([[3, 4, 7], [[6, 6]], []]);
    reading?.[Symbol.dispose]();
    buffered.length = 0;
    deliver(start({ holds: [3, 4, 5], start: 3, loggedUpTo: 5 }), 3, 5);
    await answered();
    expect([sequences(), ends]).toEqual([[3], [{ reason: "consumer_moved", facts: { first: 4, last: 4 } }]]);
  });

  test("an answer that fails ends the reading", async () => {
    const failure = new PartnerdError("nats_unavailable", "no answer");
    deliver(start({ holds: failure }), 5);
    await answered();
    expect([sequences(), ends]).toEqual([[], [failure]]);
  });

  test("nothing is taken after the reading was disposed", async () => {
    deliver(start({ holds: [5] }), 5);
    reading?.[Symbol.dispose]();
    await answered();
    expect(sequences()).toEqual([]);
  });

  test("nothing more is requested while the broker is asked, and a request is made after that", async () => {
    const listener = start({ holds: [5, 6, 7, 8, 9, 10, 11, 12, 13, 14] });
    expect(requests).toBe(1);
    deliver(listener, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14);
    expect(requests).toBe(1);
    await answered();
    expect([requests, buffered.length]).toEqual([2, 10]);
  });

  test("no more than 16 MiB wait for the answer", () => {
    const listener = start({ holds: [], onAsked: () => new Promise(() => {}) });
    const large = (delivery: number) => ({ ...message(delivery, delivery + 1), data: new Uint8Array(4 * 1_048_576) });
    for (let delivery = 1; delivery <= 4; delivery++) listener.message(large(delivery));
    expect(ends).toEqual([]);
    listener.message(message(5, 6));
    expect(ends).toEqual([{ reason: "buffer_full" }]);
  });
});
