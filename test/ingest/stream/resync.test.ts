import { expect, test } from "vitest";
import { Resync } from "../../../src/ingest/stream/resync.ts";

const STREAM = { stream: "OC_RESOURCES", created: "2026-01-01T00:00:00Z" };
const CURSOR = { ...STREAM, sequence: 5, firstSequence: 1, messageHash: "hash" };
const HELD = { ...STREAM, firstSequence: 1, lastSequence: 9, uncaptured: [], limits: "", leader: null };

/** A resync whose first reading has begun, and has logged up to `logged`. */
function under(logged: number): Resync {
  const resync = new Resync();
  resync.request(CURSOR);
  resync.began(HELD, 1, resync.due);
  resync.logged(logged);
  return resync;
}

test("an interrupted resync is resumed after the newest message that was logged", () => {
  const resync = under(2);
  resync.interrupted();
  const { due } = resync;
  expect(due).toEqual({ sequence: 2, untilSequence: 5 });
  expect(due && resync.startIn(HELD, CURSOR, due)).toBe(3);
});

test("an interruption of an ordinary reading starts no resync", () => {
  const resync = under(5);
  resync.interrupted();
  expect(resync.due).toBeNull();
});

test("an interrupted resync starts from the beginning in a recreated stream", () => {
  const resync = under(2);
  resync.interrupted();
  const { due } = resync;
  expect(due && resync.startIn({ ...HELD, created: "2026-01-02T00:00:00Z", firstSequence: 4 }, CURSOR, due)).toBe(4);
});

test("without a cursor, a resync ends at the beginning", () => {
  const resync = new Resync();
  resync.request(undefined);
  expect(resync.progress).toEqual({ sequence: 0, untilSequence: 0 });
});

test("a resync with nothing left to read is over as soon as it begins", () => {
  const resync = new Resync();
  resync.request(CURSOR);
  resync.began({ ...HELD, lastSequence: 3 }, 4, resync.due);
  expect(resync.progress).toBeNull();
  resync.request(CURSOR);
  resync.began({ ...HELD, lastSequence: 4 }, 4, resync.due);
  expect(resync.progress).toEqual({ sequence: 3, untilSequence: 5 });
  expect([resync.logged(4), resync.logged(5), resync.logged(6)]).toEqual([null, 5, null]);
});

test("an ordinary reading makes no progress in a resync", () => {
  const resync = new Resync();
  resync.began(HELD, 6, resync.due);
  expect([resync.progress, resync.logged(6)]).toEqual([null, null]);
});
