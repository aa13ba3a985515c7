import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { BrokerStreamState, ConsumerState } from "../../../src/ingest/broker/broker-port.ts";
import { align, type Evidence, firstToRead, gapsBetween, isAtCursor } from "../../../src/ingest/stream/align.ts";
import type { Cursor } from "../../../src/store/model/cursor.ts";

const identity = { stream: "S", created: "2026-01-01T00:00:00Z" };
const state = (firstSequence: number, lastSequence: number, created = identity.created): BrokerStreamState => ({
  stream: "S",
  created,
  firstSequence,
  lastSequence,
  uncaptured: [],
  limits: "",
  leader: null,
});
const NO_EVIDENCE: Evidence = { known: "unknown", acknowledged: null, byClone: false, logged: 9, hadUpTo: 0 };
/** Our consumer has acknowledged everything up to the cursor, and the stream holds the message there. */
const SAME: Evidence = { ...NO_EVIDENCE, known: "same", acknowledged: 9 };
/** The stream holds nothing that the log knows. */
const emptied = (acknowledged: number | null): Evidence => ({ ...NO_EVIDENCE, acknowledged });
const cursorAt = (sequence: number, messageHash: string | null = "hash"): Cursor => ({
  ...identity,
  firstSequence: 1,
  sequence,
  messageHash,
});
const said = (alignment: ReturnType<typeof align>) =>
  alignment.events.map((event) =>
    event.type === "DeliveryChanged"
      ? [event.reason, event.streamSequence]
      : [event.reason, event.streamSequence, event.lastStreamSequence],
  );

describe("a log that follows no stream yet", () => {
  test("starts at the first message that the stream still holds", () => {
    const begun = align(state(4, 9), undefined, NO_EVIDENCE, undefined);
    expect(said(begun)).toEqual([["at_least_once", 4]]);
    expect(begun.cursor).toEqual({ ...identity, firstSequence: 4, sequence: 3, messageHash: null });
  });
});

describe("the stream that the log follows", () => {
  test("is resumed at the cursor, with nothing to record", () => {
    expect(align(state(1, 12), cursorAt(9), SAME, "at_least_once")).toEqual({ events: [], cursor: cursorAt(9) });
    expect(align(state(10, 9), cursorAt(9), emptied(9), "at_least_once")).toEqual({ events: [], cursor: cursorAt(9) });
  });

  test("has dropped messages that were never logged", () => {
    const aligned = align(state(13, 20), cursorAt(9), emptied(9), "at_least_once");
    expect(said(aligned)).toEqual([["purged", 10, 12]]);
    expect(aligned.cursor).toEqual(cursorAt(12, null));
  });

  test("was emptied", () => {
    const aligned = align(state(13, 12), cursorAt(9), emptied(9), "at_least_once");
    expect(said(aligned)).toEqual([["purged", 10, 12]]);
    expect(aligned.cursor.sequence).toBe(12);
  });

  test("is followed again after a period of core NATS", () => {
    expect(said(align(state(1, 12), cursorAt(9), SAME, "at_most_once"))).toEqual([["at_least_once", 10]]);
  });

  test.each<[string, BrokerStreamState, Evidence["known"]]>([
    ["its newest sequence is older", state(1, 5), "unknown"],
    ["it holds another message than the log knows", state(1, 20), "other"],
  ])("was rewound: %s", (_, found, known) => {
    const aligned = align(found, cursorAt(9), { ...NO_EVIDENCE, known, acknowledged: 9 }, "at_least_once");
    expect(said(aligned)).toEqual([
      ["reused", 10, null],
      ["at_least_once", 1],
    ]);
    expect(aligned.cursor).toEqual(cursorAt(0, null));
  });
});

describe("another stream of the same name", () => {
  test("is read from its start, and a gap is recorded for the rest of the old one", () => {
    const aligned = align(state(1, 3, "later"), cursorAt(9), NO_EVIDENCE, "at_least_once");
    expect(said(aligned)).toEqual([
      ["recreated", 10, null],
      ["at_least_once", 1],
    ]);
    expect(aligned.cursor).toEqual({ stream: "S", created: "later", firstSequence: 1, sequence: 0, messageHash: null });
  });

  test("may already have dropped messages, or only its first", () => {
    expect(said(align(state(2, 5, "later"), cursorAt(9), NO_EVIDENCE, "at_least_once"))[1]).toEqual(["purged", 1, 1]);
    expect(said(align(state(3, 5, "later"), cursorAt(9), NO_EVIDENCE, "at_least_once"))).toEqual([
      ["recreated", 10, null],
      ["purged", 1, 2],
      ["at_least_once", 3],
    ]);
  });
});

test("afterwards the cursor is just before the stream's first message, or where it was, and aligning again records nothing", () => {
  const found = fc.record({
    first: fc.integer({ min: 1, max: 30 }),
    length: fc.integer({ min: 0, max: 30 }),
    created: fc.constantFrom(identity.created, "later"),
  });
  const cursor = fc.option(
    fc.integer({ min: 0, max: 40 }).map((sequence) => cursorAt(sequence)),
    { nil: undefined },
  );
  fc.assert(
    fc.property(
      found,
      cursor,
      fc.constantFrom<Evidence["known"]>("same", "other", "unknown"),
      fc.option(fc.integer({ min: 0, max: 40 })),
      ({ first, length, created }, from, known, acknowledged) => {
        const stream = state(first, first + length - 1, created);
        const aligned = align(stream, from, { ...NO_EVIDENCE, known, acknowledged }, "at_least_once");
        expect(aligned.cursor.sequence).toBeGreaterThanOrEqual(stream.firstSequence - 1);
        expect(aligned.cursor.sequence).toBeLessThanOrEqual(stream.lastSequence);
        const placed = { ...emptied(aligned.cursor.sequence), logged: aligned.cursor.sequence };
        expect(align(stream, aligned.cursor, placed, "at_least_once")).toEqual({ events: [], cursor: aligned.cursor });
      },
    ),
  );
});

describe("a log that is an older copy", () => {
  test("says what a later state of it had acknowledged, and reads again what is left", () => {
    const aligned = align(state(1, 30), cursorAt(9), { ...SAME, acknowledged: 20 }, "at_least_once");
    expect(said(aligned)).toEqual([["acknowledged", 10, 20]]);
    expect(aligned.cursor).toEqual(cursorAt(9));
  });

  test("does not call messages missing that it had", () => {
    const aligned = align(state(14, 30), cursorAt(9), emptied(20), "at_least_once");
    expect(said(aligned)).toEqual([
      ["acknowledged", 10, 20],
      ["rolled_back", 10, 13],
    ]);
    expect(aligned.cursor.sequence).toBe(13);
  });

  test("had the first message that the stream holds", () => {
    const aligned = align(state(14, 30), cursorAt(9), emptied(14), "at_least_once");
    expect(said(aligned)).toEqual([
      ["acknowledged", 10, 14],
      ["rolled_back", 10, 13],
    ]);
  });

  test.each([13, 12])("is not claimed because of a purge, which moves the consumer too: to %i", (acknowledged) => {
    const aligned = align(state(14, 30), cursorAt(9), emptied(acknowledged), "at_least_once");
    expect(said(aligned)).toEqual([["purged", 10, 13]]);
  });
});

describe("a stream that holds nothing the log knows", () => {
  test.each<[string, number | null, [string, number, number][]]>([
    ["a consumer at the cursor proves that it was not rewound", 9, []],
    ["a consumer that is behind proves nothing above it", 4, [["unproven", 5, 9]]],
    ["a consumer that is one behind proves all but the last", 8, [["unproven", 9, 9]]],
    ["without a consumer nothing is proven", null, [["unproven", 1, 9]]],
  ])("%s", (_, acknowledged, unproven) => {
    const aligned = align(state(13, 20), cursorAt(9), emptied(acknowledged), "at_least_once");
    expect(said(aligned)).toEqual([...unproven, ["purged", 10, 12]]);
  });
});

test("without a consumer, what came before the log began to follow the stream needs no proof", () => {
  const aligned = align(state(13, 20), { ...cursorAt(9), firstSequence: 5 }, emptied(null), "at_least_once");
  expect(said(aligned)[0]).toEqual(["unproven", 5, 9]);
});

describe("a consumer is at the cursor", () => {
  const OWNER = { peerId: "us", run: "1" };
  const ready: ConsumerState = {
    startSequence: 1,
    delivered: { consumerSequence: 4, streamSequence: 9 },
    unacknowledged: 0,
    waitingRequests: 0,
    acknowledged: 9,
    owner: OWNER,
    isPaused: false,
    isAsRequired: true,
  };
  const fresh = { startSequence: 10, delivered: { consumerSequence: 0, streamSequence: 0 } };

  test.each<[string, Partial<ConsumerState>, boolean]>([
    ["if it has delivered up to it", {}, true],
    ["if it was created there", fresh, true],
    ["but not if it was created after it", { ...fresh, startSequence: 11 }, false],
    ["but not if it has delivered more", { delivered: { consumerSequence: 5, streamSequence: 10 } }, false],
    [
      "but not if its first delivery lies before it",
      { startSequence: 10, delivered: { consumerSequence: 1, streamSequence: 8 } },
      false,
    ],
    ["but not with deliveries that are not acknowledged", { unacknowledged: 1 }, false],
    ["but not with a request that would swallow the next delivery", { waitingRequests: 1 }, false],
    ["but not with other settings", { isAsRequired: false }, false],
    ["but not if an earlier run created it", { owner: { ...OWNER, run: "0" } }, false],
    ["but not if another daemon created it", { owner: { ...OWNER, peerId: "them" } }, false],
    ["but not if it is not known who did", { owner: undefined }, false],
  ])("%s", (_, change, expected) => {
    expect(isAtCursor({ ...ready, ...change }, cursorAt(9), OWNER)).toBe(expected);
  });
});

describe("a stream that does not capture all subjects", () => {
  const uncaptured = { ...state(1, 12), uncaptured: ["a.b"] };

  test("is recorded once, with the subjects, and when it captures them again", () => {
    const [begun] = align(uncaptured, cursorAt(9), SAME, "at_least_once").events;
    expect(begun).toMatchObject({ reason: "not_captured", streamSequence: 10, message: "a.b not captured" });
    expect(align(uncaptured, cursorAt(9), SAME, "not_captured").events).toEqual([]);
    expect(said(align(state(1, 12), cursorAt(9), SAME, "not_captured"))).toEqual([["at_least_once", 10]]);
  });

  test("nor does one that refuses all messages, which says why", () => {
    const [begun] = align({ ...state(1, 12), refusal: "sealed" }, cursorAt(9), SAME, "at_least_once").events;
    expect(begun).toMatchObject({ reason: "not_captured", message: "it is sealed" });
  });
});

test("a gap between two messages names what is missing, and what the log had", () => {
  const stream = { stream: "S", created: "2026-01-01T00:00:00Z" };
  const said = (...gap: Parameters<typeof gapsBetween>) =>
    gapsBetween(...gap).map(({ reason, streamSequence, lastStreamSequence }) => [reason, streamSequence, lastStreamSequence]);
  expect(said(stream, 4, 6, 0)).toEqual([["purged", 5, 5]]);
  expect(said(stream, 4, 9, 4)).toEqual([["purged", 5, 8]]);
  expect(said(stream, 4, 9, 6)).toEqual([
    ["rolled_back", 5, 6],
    ["purged", 7, 8],
  ]);
  expect(said(stream, 4, 9, 20)).toEqual([["rolled_back", 5, 8]]);
});

describe("the first message to read", () => {
  const stream = state(3, 20);
  const cursor = cursorAt(10);
  const first = (acknowledged: number, peerId = "us") =>
    firstToRead(stream, cursor, { acknowledged, owner: { peerId, run: "0" } }, { peerId: "us", run: "1" });

  test("is the one after the cursor, unless our consumer has acknowledged less", () => {
    expect([first(10), first(12), first(9), first(4)]).toEqual([11, 11, 10, 5]);
  });

  test("is never one that the stream no longer holds, nor is another daemon's consumer believed", () => {
    expect([first(2), first(0), first(4, "them")]).toEqual([3, 3, 11]);
    expect(firstToRead(stream, cursor, undefined, { peerId: "us", run: "1" })).toBe(11);
  });
});
