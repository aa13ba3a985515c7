/** Deriving a cursor from rows, and from the remains of a damaged database. */
import { expect, it } from "vitest";
import type { Cursor } from "../../../src/store/model/cursor.ts";
import { completeCursor, type DerivedCursor } from "../../../src/store/model/derived-cursor.ts";

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
