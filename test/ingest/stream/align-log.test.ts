/** Alignment after alignment on one log: nothing is recorded twice, and nothing is called lost that the log had. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RunId } from "../../../src/events/types.ts";
import type { BrokerStreamState } from "../../../src/ingest/broker/broker-port.ts";
import { alignLog, compareKnown, type FoundConsumer } from "../../../src/ingest/stream/align-log.ts";
import { dedupeKeyOf } from "../../../src/store/model/dedupe-key.ts";
import { desired, received, start as startRun } from "../../store/support/events.ts";
import { TemporaryStore } from "../../store/support/temporary-store.ts";

const identity = { stream: "S", created: "2026-01-01T00:00:00Z" };
const state = (firstSequence: number, lastSequence: number): BrokerStreamState => ({
  ...identity,
  firstSequence,
  lastSequence,
  uncaptured: [],
  limits: "",
  leader: null,
});
const owner = { peerId: "us", run: "new" };
const acknowledgedBy = (run: string, acknowledged: number, delivered = acknowledged): FoundConsumer => ({
  consumer: {
    owner: { peerId: "us", run },
    acknowledged,
    startSequence: 1,
    delivered: { consumerSequence: delivered, streamSequence: delivered },
  },
  isTaken: false,
});
const NO_CONSUMER: FoundConsumer = { consumer: undefined, isTaken: false };

let temporary: TemporaryStore;
beforeEach(() => {
  temporary = new TemporaryStore();
  alignLog(state(1, 0), "unknown", NO_CONSUMER, { log: temporary.store, owner });
});
afterEach(() => temporary[Symbol.dispose]());

function receive(first: number, last: number, contents = "hash"): void {
  for (let sequence = first; sequence <= last; sequence++) {
    const messageHash = `${contents}-${sequence}`;
    const key = dedupeKeyOf(identity, sequence, messageHash);
    const position = { ...identity, sequence, messageHash };
    temporary.store.appendReceived([received(desired(), { dedupeKey: key, streamSequence: sequence })], position);
  }
}

const start = (stream: BrokerStreamState, consumer: FoundConsumer) =>
  alignLog(stream, stream.firstSequence > (temporary.store.cursor()?.sequence ?? 0) ? "unknown" : "same", consumer, {
    log: temporary.store,
    owner,
  });

const said = () =>
  temporary.store
    .deliveries()
    .filter(({ event }) => event.type !== "DeliveryChanged")
    .map(({ event }) => [event.reason, event.streamSequence, event.type === "DeliveryChanged" || event.lastStreamSequence]);

test("a daemon that crashes before it has placed the consumer records a rollback once", () => {
  receive(1, 9);
  for (let times = 0; times < 3; times++) start(state(14, 30), acknowledgedBy("later", 20));
  expect(said()).toEqual([
    ["acknowledged", 10, 20],
    ["rolled_back", 10, 13],
  ]);
});

test("a daemon that crashes between recording a rewind and recreating the consumer is not taken for an older copy", () => {
  receive(1, 9);
  start(state(1, 4), NO_CONSUMER);
  expect(said()).toEqual([["reused", 10, null]]);
  for (const last of [4, 30]) start(state(1, last), acknowledgedBy("before", 9));
  expect(said()).toEqual([["reused", 10, null]]);
});

test("one that crashes again and again while the stream shrinks records it once", () => {
  receive(1, 9);
  for (const first of [12, 14]) start(state(first, 30), acknowledgedBy("later", 20));
  expect(said()).toEqual([
    ["acknowledged", 10, 20],
    ["rolled_back", 10, 11],
    ["rolled_back", 12, 13],
  ]);
});

test("a second rollback is recorded, even if it is like the first", () => {
  receive(1, 9);
  start(state(1, 30), acknowledgedBy("later", 20));
  receive(10, 15);
  start(state(1, 30), acknowledgedBy("later still", 20));
  expect(said()).toEqual([
    ["acknowledged", 10, 20],
    ["acknowledged", 16, 20],
  ]);
});

test("a second rollback is recorded, also if reading and a gap have led up to the same messages", () => {
  receive(1, 9);
  start(state(1, 30), acknowledgedBy("later", 20));
  receive(10, 15);
  start(state(19, 30), acknowledgedBy("new", 15));
  start(state(19, 30), acknowledgedBy("later still", 20));
  expect(said()).toEqual([
    ["acknowledged", 10, 20],
    ["rolled_back", 16, 18],
    ["acknowledged", 19, 20],
  ]);
});

test("a rollback after a gap is recorded, and one after the first message of a rewound stream", () => {
  start(state(14, 30), NO_CONSUMER);
  start(state(14, 30), acknowledgedBy("later", 20));
  expect(said()).toEqual([
    ["purged", 1, 13],
    ["acknowledged", 14, 20],
  ]);
  start(state(1, 9), NO_CONSUMER);
  receive(1, 1);
  start(state(1, 9), acknowledgedBy("latest", 5));
  expect(said().slice(2)).toEqual([
    ["reused", 14, null],
    ["acknowledged", 2, 5],
  ]);
});

test("a gap of a stream says nothing about messages with its sequences that the rewound stream stored since", () => {
  receive(1, 9);
  start(state(14, 30), acknowledgedBy("new", 9));
  start(state(1, 5), NO_CONSUMER);
  receive(1, 9, "later");
  start(state(1, 30), acknowledgedBy("later", 13));
  receive(10, 13, "later");
  start(state(20, 30), acknowledgedBy("new", 9));
  expect(said()).toEqual([
    ["purged", 10, 13],
    ["reused", 14, null],
    ["acknowledged", 10, 13],
    ["unproven", 10, 13],
    ["purged", 14, 19],
  ]);
});

test("nothing new is not written, so that a full disk does not matter", () => {
  receive(1, 9);
  const appendDelivery = () => {
    throw new Error("disk full");
  };
  const { cursor } = alignLog(state(1, 30), "same", NO_CONSUMER, { log: { ...temporary.store, appendDelivery }, owner });
  expect(cursor.sequence).toBe(9);
});

test("messages that the log had before its rollback are called that at the next start, too", () => {
  receive(1, 9);
  start(state(1, 30), acknowledgedBy("later", 20));
  start(state(14, 30), acknowledgedBy("new", 9));
  expect(said()).toEqual([
    ["acknowledged", 10, 20],
    ["rolled_back", 10, 13],
  ]);
});

test("a rollback is remembered beyond gaps of its stream, but not for a recreated one", () => {
  receive(1, 9);
  start(state(1, 30), acknowledgedBy("later", 20));
  start(state(14, 30), acknowledgedBy("new", 9));
  expect(start(state(16, 30), acknowledgedBy("new", 13)).hadUpTo).toBe(20);
  expect(start({ ...state(1, 5), created: "2026-02-02T00:00:00Z" }, NO_CONSUMER).hadUpTo).toBe(0);
});

test("a consumer that was created at the end of a later log, and has delivered nothing, proves that log", () => {
  receive(1, 9);
  const { consumer } = acknowledgedBy("later", 20, 0);
  start(state(1, 30), { consumer: consumer && { ...consumer, startSequence: 21 }, isTaken: false });
  expect(said()).toEqual([["acknowledged", 10, 20]]);
});

test("a rollback says nothing about messages that a rewound stream stored since", () => {
  receive(1, 9);
  expect(start(state(1, 30), acknowledgedBy("later", 20)).hadUpTo).toBe(20);
  expect(start(state(1, 5), acknowledgedBy("new", 9)).hadUpTo).toBe(0);
});

test("nothing left to compare is recorded once", () => {
  receive(1, 9);
  for (let times = 0; times < 3; times++) start(state(14, 30), NO_CONSUMER);
  expect(said()).toEqual([
    ["unproven", 1, 9],
    ["purged", 10, 13],
  ]);
});

test("a gap that is recorded, but that the consumer has not passed, holds no message that might be another", () => {
  receive(1, 9);
  for (const first of [14, 14, 16]) start(state(first, 30), acknowledgedBy("new", 9));
  expect(said()).toEqual([
    ["purged", 10, 13],
    ["purged", 14, 15],
  ]);
});

test("nothing left to compare, while the stream shrinks from start to start, is recorded once, for what is logged", () => {
  receive(1, 9);
  for (const first of [14, 16]) start(state(first, 30), acknowledgedBy("new", 4));
  expect(said()).toEqual([
    ["unproven", 5, 9],
    ["purged", 10, 13],
    ["purged", 14, 15],
  ]);
});

const sawClone = { type: "CloneSeen", reason: "consumer", details: { otherRun: "clone" } } as const;

test.each<[string, FoundConsumer]>([
  ["it has just taken the consumer", { ...acknowledgedBy("just seen", 20), isTaken: true }],
  ["the log has seen that run before", acknowledgedBy("clone", 20)],
  ["its acknowledgement reached the consumer of the run that saw it", acknowledgedBy("seer", 20)],
  ["its acknowledgement reached our own consumer", acknowledgedBy("new", 20)],
  ["it acknowledged what the consumer has not delivered", acknowledgedBy("earlier", 20, 12)],
])("a clone that read on does not make this log an older copy: %s", (_, consumer) => {
  startRun(temporary.store, { run: "seer" as RunId });
  receive(1, 9);
  temporary.store.appendDelivery([sawClone]);
  start(state(14, 30), consumer);
  expect(said()).toEqual([["purged", 10, 13]]);
});

test("a log that has seen a clone, and was then rolled back, says so", () => {
  receive(1, 9);
  temporary.store.appendDelivery([sawClone]);
  start(state(1, 30), acknowledgedBy("later", 20));
  expect(said()).toEqual([["acknowledged", 10, 20]]);
});

describe("the newest messages that the log knows", () => {
  const CURSOR = { ...identity, sequence: 9, firstSequence: 1, messageHash: "hash-9" as string | null };

  /** Compares them with a stream from 5 to 12 that holds these hashes; the log knows five older ones. */
  async function compared(cursor: typeof CURSOR | undefined, held: Readonly<Record<number, string>>, stream = state(5, 12)) {
    const asked: number[] = [];
    const known = await compareKnown(
      {
        hashAt: async (sequence) => {
          asked.push(sequence);
          return held[sequence];
        },
      },
      stream,
      {
        cursor: () => cursor,
        knownMessages: (_, upTo, most) =>
          Array.from({ length: most }, (_none, index) => ({ sequence: upTo - index, messageHash: `hash-${upTo - index}` })),
      },
    );
    return { known, asked };
  }

  test("are unknown without a cursor, and in another stream, which is not asked", async () => {
    expect(await compared(undefined, {})).toEqual({ known: "unknown", asked: [] });
    expect(await compared({ ...CURSOR, created: "earlier" }, { 9: "hash-9" })).toEqual({ known: "unknown", asked: [] });
  });

  test.each<[string, string | null, Readonly<Record<number, string>>, string, readonly number[]]>([
    ["the one at the cursor is the same, which is enough", "hash-9", { 9: "hash-9", 8: "other" }, "same", [9]],
    ["the one at the cursor is another", "hash-9", { 9: "other", 8: "hash-8" }, "other", [9]],
    ["it is gone, and an older one is the same", "hash-9", { 6: "hash-6" }, "same", [9, 8, 7, 6, 5]],
    ["it is gone, and an older one is another", "hash-9", { 8: "hash-8", 6: "other" }, "other", [9, 8, 7, 6, 5]],
    ["all are gone", "hash-9", {}, "unknown", [9, 8, 7, 6, 5]],
    ["the log does not know the one at the cursor, but an older one", null, { 9: "any", 7: "hash-7" }, "same", [9, 8, 7, 6, 5]],
  ])("%s", async (_, messageHash, held, known, asked) => {
    expect(await compared({ ...CURSOR, messageHash }, held)).toEqual({ known, asked });
  });

  test("are compared only if the stream may hold them: its first and its last, too", async () => {
    expect((await compared(CURSOR, {}, state(7, 9))).asked).toEqual([9, 8, 7]);
    expect((await compared(CURSOR, {}, state(8, 12))).asked).toEqual([9, 8]);
    expect((await compared(CURSOR, {}, state(1, 6))).asked).toEqual([6, 5]);
  });

  test("a message at a cursor before the first one that the log followed was stored after a rewind", async () => {
    const before = { ...CURSOR, messageHash: null, firstSequence: 10 };
    expect((await compared(before, { 9: "any" })).known).toBe("other");
    expect((await compared({ ...before, firstSequence: 9 }, { 9: "any" })).known).toBe("unknown");
    expect((await compared(before, {})).known).toBe("unknown");
    expect((await compared({ ...before, messageHash: "hash-9" }, { 9: "hash-9" })).known).toBe("same");
  });
});
