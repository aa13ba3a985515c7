import { afterEach, expect, test } from "vitest";
import type { BrokerMessage, PullListener, PullRequest } from "../../../src/ingest/broker/broker-port.ts";
import type { ReceivedMessage } from "../../../src/ingest/ingest-buffer.ts";
import { StreamReading } from "../../../src/ingest/stream/stream-reading.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";

const WINDOW = 4;
const CURSOR = { stream: "S", created: "2026-01-01T00:00:00Z", sequence: 0, firstSequence: 1, messageHash: "hash" };

const requests: PullRequest[] = [];
const buffered: ReceivedMessage[] = [];
let listener: PullListener | undefined;
let reading: StreamReading | undefined;
afterEach(() => {
  reading?.[Symbol.dispose]();
  requests.length = 0;
  buffered.length = 0;
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
      acknowledge: () => {},
      isClosed: () => false,
    },
    clock: new VirtualClock(),
    cursor: CURSOR,
    consumerSequence: 1,
    window: WINDOW,
    hadUpTo: 0,
    buffer: {
      offer: (message: ReceivedMessage) => buffered.push(message) > 0,
      counts: () => ({ dropped: 0, buffered: buffered.length }),
    },
    onProgress: () => {},
    onLogged: () => {},
    onEnded: () => {},
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
