/** Deriving a cursor from rows, and from the remains of a damaged database. */
import { describe, expect, it } from "vitest";
import type { Cursor } from "../../../src/store/model/cursor.ts";
import { dedupeKeyParts } from "../../../src/store/model/dedupe-key.ts";
import { type CursorColumns, completeCursor, cursorAfter, type DerivedCursor } from "../../../src/store/model/derived-cursor.ts";

const derived: DerivedCursor = {
  stream: null,
  created: "2026-01-01T00:00:00Z",
  firstSequence: null,
  sequence: 7,
  messageHash: "hash-7",
  seq: 12,
};
const stored: Cursor = { stream: "OC_RESOURCES", created: derived.created, firstSequence: 3, sequence: 99, messageHash: null };

it.each<[string, DerivedCursor | undefined, Cursor | null, Cursor | null]>([
  ["no stream", undefined, stored, null],
  ["rows that do not name their stream", derived, null, null],
  ["the name from the stored cursor", derived, stored, { ...stored, sequence: 7, messageHash: "hash-7" }],
  ["a stored cursor of another stream", derived, { ...stored, created: "2026-02-02T00:00:00Z" }, null],
])("%s", (_, fromRows, found, wanted) => {
  expect(completeCursor(fromRows, found)).toEqual(wanted);
});

describe("a row about the stream", () => {
  const row = (change: Partial<CursorColumns>): CursorColumns => ({
    seq: 13,
    type: "DeliveryChanged",
    reason: "at_least_once",
    dedupeKey: null,
    stream: "OC_RESOURCES",
    streamCreated: derived.created,
    streamSequence: 8,
    lastStreamSequence: null,
    ...change,
  });

  it.each([
    [8, { ...derived, stream: "OC_RESOURCES" }],
    [9, { ...derived, stream: "OC_RESOURCES", sequence: 8, messageHash: null, seq: 13 }],
    [7, { ...derived, stream: "OC_RESOURCES", firstSequence: 7, sequence: 6, messageHash: null, seq: 13 }],
  ])("that is followed from %i on, after sequence 7", (streamSequence, wanted) => {
    expect(cursorAfter(derived, row({ streamSequence }))).toEqual(wanted);
  });

  it("that records a gap without an end moves nothing, not even from the start", () => {
    const gap = row({ type: "DeliveryGap", reason: "purged", streamSequence: 1 });
    const atStart = { ...derived, sequence: 0 };
    expect(cursorAfter(atStart, gap)).toEqual(atStart);
    expect(cursorAfter(atStart, { ...gap, lastStreamSequence: 1 })).toMatchObject({ sequence: 1, seq: 13 });
  });
});

it("a key is split by the sequence of its row, whatever that is", () => {
  expect(dedupeKeyParts("created/7/hash", 7)).toEqual({ created: "created", streamSequence: 7, messageHash: "hash" });
  expect(dedupeKeyParts("created/0/hash", null)).toEqual({ created: "created", streamSequence: 0, messageHash: "hash" });
  expect(dedupeKeyParts("created/7/hash", 8)).toEqual({ created: "created/7/", streamSequence: 0, messageHash: "hash" });
});
