import { afterEach, beforeEach, expect, test } from "vitest";
import type { BrokerMessage, PullListener, PullRequest } from "../../../src/ingest/broker/broker-port.ts";
import type { ReceivedMessage } from "../../../src/ingest/ingest-buffer.ts";
import type { ReadingEnd } from "../../../src/ingest/stream/reading-end.ts";
import { StreamReading } from "../../../src/ingest/stream/stream-reading.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";

const WINDOW = 4;
const CURSOR = { stream: "S", created: "2026-01-01T00:00:00Z", sequence: 0, firstSequence: 1, messageHash: "hash" };

const requests: PullRequest[] = [];
const buffered: ReceivedMessage[] = [];
const acknowledged: string[] = [];
const progress: number[] = [];
const ends: ReadingEnd[] = [];
let isClosed = false;
let isFull = false;
/** The first message that the stream holds from this sequence on. */
let firstHeld: (sequence: number) => Promise<number>;
let listener: PullListener | undefined;
let reading: StreamReading | undefined;
beforeEach(() => {
  firstHeld = async (sequence) => sequence + 1;
});
afterEach(() => {
  reading?.[Symbol.dispose]();
  for (const each of [requests, buffered, acknowledged, progress, ends]) each.length = 0;
  isClosed = false;
  isFull = false;
});

const messageOf = (sequence: number): BrokerMessage =>
  ({ subject: "s", data: new Uint8Array(1), reply: `$JS.ACK.S.C.1.${sequence}.${sequence}.1000.0` }) as BrokerMessage;

function start(): void {
  reading = new StreamReading({
    link: {
      openPull: (opened: PullListener) => {
        listener = opened;
        return { request: (request: PullRequest) => void requests.push(request), [Symbol.dispose]: () => {} };
      },
      acknowledge: ({ reply }: BrokerMessage) => void acknowledged.push(reply ?? ""),
      isClosed: () => isClosed,
      firstHeld: (sequence: number) => firstHeld(sequence),
    },
    clock: new VirtualClock(),
    cursor: CURSOR,
    consumerSequence: 1,
    start: 1,
    window: WINDOW,
    hadUpTo: 0,
    buffer: {
      offer: (message: ReceivedMessage) => !isFull && buffered.push(message) > 0,
      counts: () => ({ dropped: 0, buffered: buffered.length }),
    },
    onProgress: (pending: number) => void progress.push(pending),
    onLogged: () => {},
    onEnded: (end: ReadingEnd) => void ends.push(end),
  } as unknown as ConstructorParameters<typeof StreamReading>[0]);
}

/** Takes all that is buffered, as a committed batch does. */
async function commit(messages: number): Promise<void> {
  for (const { acknowledge } of buffered.splice(0, messages)) acknowledge?.();
  await Promise.resolve();
}

test("the next messages are requested once the buffer is half empty, not only when it is empty", async () => {
  start();
  for (const sequence of [1, 2, 3, 4]) listener?.message(messageOf(sequence));
  expect(requests.map(({ messages }) => messages)).toEqual([WINDOW]);
  await commit(1);
  expect(requests).toHaveLength(1);
  await commit(1);
  expect(requests.map(({ messages }) => messages)).toEqual([WINDOW, WINDOW / 2]);
});

test("the next messages are requested as soon as a request is over, if the buffer was emptied before", async () => {
  start();
  for (const sequence of [1, 2, 3]) listener?.message(messageOf(sequence));
  await commit(3);
  expect(requests).toHaveLength(1);
  listener?.message(messageOf(4));
  expect(requests.map(({ messages }) => messages)).toEqual([WINDOW, WINDOW - 1]);
});

test("only the last message of a batch is acknowledged, and only while the connection is open", async () => {
  start();
  for (const sequence of [1, 2, 3]) listener?.message(messageOf(sequence));
  await commit(2);
  expect(acknowledged).toEqual([messageOf(2).reply]);
  isClosed = true;
  await commit(1);
  expect(acknowledged).toHaveLength(1);
});

test("a batch of one message is acknowledged, too", async () => {
  start();
  listener?.message(messageOf(1));
  await commit(1);
  expect(acknowledged).toEqual([messageOf(1).reply]);
});

test("nothing is acknowledged after the end: the next consumer starts after the cursor", async () => {
  start();
  listener?.message(messageOf(1));
  reading?.[Symbol.dispose]();
  await commit(1);
  expect(acknowledged).toEqual([]);
});

test("each message says how many are left, until the buffer is full, which ends the reading", () => {
  start();
  listener?.message({ ...messageOf(1), reply: "$JS.ACK.S.C.1.1.1.1000.7" });
  expect([progress, ends]).toEqual([[7], []]);
  isFull = true;
  listener?.message(messageOf(2));
  expect(ends).toEqual([{ reason: "buffer_full" }]);
  listener?.message(messageOf(2));
  expect([progress, ends.length]).toEqual([[7], 1]);
});

test.each<[string, Partial<BrokerMessage>, ReadingEnd]>([
  ["without its position", { reply: "elsewhere" }, { reason: "position_missing", facts: { subject: "s" } }],
  [
    "that is not the next delivery",
    { reply: "$JS.ACK.S.C.1.2.2.1000.0" },
    { reason: "delivery_out_of_order", facts: { delivery: 2, expected: 1 } },
  ],
])("a message %s ends the reading", (_, change, end) => {
  start();
  listener?.message({ ...messageOf(1), ...change });
  expect([buffered, ends]).toEqual([[], [end]]);
});

test("a message that follows the one before it has no gap", async () => {
  start();
  for (const sequence of [1, 2]) listener?.message(messageOf(sequence));
  listener?.message({ ...messageOf(4), reply: "$JS.ACK.S.C.1.4.3.1000.0" });
  await new Promise<void>((resolve) => setImmediate(resolve));
  expect(buffered.map(({ gaps }) => gaps?.map(({ streamSequence }) => streamSequence))).toEqual([undefined, undefined, [3]]);
});

test("no more messages are requested while one after a gap waits for its proof", async () => {
  const answer = Promise.withResolvers<number>();
  firstHeld = () => answer.promise;
  start();
  for (const sequence of [1, 2, 3]) listener?.message(messageOf(sequence));
  listener?.message({ ...messageOf(5), reply: "$JS.ACK.S.C.1.5.4.1000.0" });
  await commit(3);
  expect(requests).toHaveLength(1);
  answer.resolve(5);
  await new Promise<void>((resolve) => setImmediate(resolve));
  expect(requests.map(({ messages }) => messages)).toEqual([WINDOW, WINDOW - 1]);
});
