import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AtCursor, align, gapBetween } from "../../../src/ingest/stream/align.ts";
import type { BrokerStreamState } from "../../../src/ingest/stream/broker-port.ts";
import type { Cursor } from "../../../src/store/model/cursor.ts";

const identity = { stream: "S", created: "2026-01-01T00:00:00Z" };
const state = (firstSequence: number, lastSequence: number, created = identity.created): BrokerStreamState => ({
  stream: "S",
  created,
  firstSequence,
  lastSequence,
});
const cursorAt = (sequence: number, messageHash: string | null = "hash"): Cursor => ({
  ...identity,
  firstSequence: 1,
  sequence,
  messageHash,
});
const said = (alignment: ReturnType<typeof align>) =>
  alignment.events.map((event) =>
    event.type === "DeliveryGap"
      ? [event.reason, event.streamSequence, event.lastStreamSequence]
      : [event.reason, event.streamSequence],
  );

describe("a log that follows no stream yet", () => {
  test("starts at the first message that the stream still holds", () => {
    const begun = align(state(4, 9), undefined, "unknown", undefined);
    expect(said(begun)).toEqual([["at_least_once", 4]]);
    expect(begun.cursor).toEqual({ ...identity, firstSequence: 4, sequence: 3, messageHash: null });
  });
});

describe("the stream that the log follows", () => {
  test("is resumed at the cursor, with nothing to record", () => {
    expect(align(state(1, 12), cursorAt(9), "same", "at_least_once")).toEqual({ events: [], cursor: cursorAt(9) });
    expect(align(state(10, 9), cursorAt(9), "unknown", "at_least_once")).toEqual({ events: [], cursor: cursorAt(9) });
  });

  test("has dropped messages that were never logged", () => {
    const aligned = align(state(13, 20), cursorAt(9), "unknown", "at_least_once");
    expect(said(aligned)).toEqual([["purged", 10, 12]]);
    expect(aligned.cursor).toEqual(cursorAt(12, null));
  });

  test("was emptied", () => {
    const aligned = align(state(13, 12), cursorAt(9), "unknown", "at_least_once");
    expect(said(aligned)).toEqual([["purged", 10, 12]]);
    expect(aligned.cursor.sequence).toBe(12);
  });

  test("is followed again after a period of core NATS", () => {
    expect(said(align(state(1, 12), cursorAt(9), "same", "at_most_once"))).toEqual([["at_least_once", 10]]);
  });

  test.each<[string, BrokerStreamState, AtCursor]>([
    ["its newest sequence is older", state(1, 5), "unknown"],
    ["another message is at the cursor", state(1, 20), "other"],
  ])("was rewound: %s", (_, found, atCursor) => {
    const aligned = align(found, cursorAt(9), atCursor, "at_least_once");
    expect(said(aligned)).toEqual([
      ["reused", 10, null],
      ["at_least_once", 1],
    ]);
    expect(aligned.cursor).toEqual(cursorAt(0, null));
  });
});

describe("another stream of the same name", () => {
  test("is read from its start, and a gap is recorded for the rest of the old one", () => {
    const aligned = align(state(1, 3, "later"), cursorAt(9), "unknown", "at_least_once");
    expect(said(aligned)).toEqual([
      ["recreated", 10, null],
      ["at_least_once", 1],
    ]);
    expect(aligned.cursor).toEqual({ stream: "S", created: "later", firstSequence: 1, sequence: 0, messageHash: null });
  });

  test("may already have dropped messages", () => {
    expect(said(align(state(3, 5, "later"), cursorAt(9), "unknown", "at_least_once"))).toEqual([
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
      fc.constantFrom<AtCursor>("same", "other", "unknown"),
      ({ first, length, created }, from, atCursor) => {
        const stream = state(first, first + length - 1, created);
        const aligned = align(stream, from, atCursor, "at_least_once");
        expect(aligned.cursor.sequence).toBeGreaterThanOrEqual(stream.firstSequence - 1);
        expect(aligned.cursor.sequence).toBeLessThanOrEqual(stream.lastSequence);
        expect(align(stream, aligned.cursor, "unknown", "at_least_once")).toEqual({ events: [], cursor: aligned.cursor });
      },
    ),
  );
});

test("a gap between two messages names what is missing", () => {
  const stream = { stream: "S", created: "2026-01-01T00:00:00Z" };
  const gap = { reason: "purged", stream: "S", streamCreated: stream.created };
  expect(gapBetween(stream, 4, 6)).toMatchObject({ ...gap, streamSequence: 5, lastStreamSequence: 5 });
  expect(gapBetween(stream, 4, 9)).toMatchObject({ ...gap, streamSequence: 5, lastStreamSequence: 8 });
});
