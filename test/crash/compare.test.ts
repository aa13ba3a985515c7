import { describe, expect, it } from "vitest";
import { compare, type Expected, type LoggedMessage } from "./compare.ts";

const message = (sequence: number, sha256 = `hash ${sequence}`): Expected => ({ sequence, subject: "CREATE_RESOURCE", sha256 });
const row = (seq: number, sequence: number | null, sha256 = `hash ${sequence}`): LoggedMessage => ({
  seq,
  sequence,
  subject: "CREATE_RESOURCE",
  sha256,
  isWhole: true,
});
/** Sequence 3 is ignored, so it is not in the log. */
const stream = [message(1), message(2), message(4), message(5)];
const log = [row(1, 1), row(2, 2), row(4, 4), row(5, 5)];

describe("the stream against the log", () => {
  it("finds nothing if every message is there once and in order, with other rows in between", () => {
    expect(compare(stream, log)).toEqual({ faults: [], matched: 4, retired: 0 });
  });

  it.each<[string, readonly LoggedMessage[], RegExp]>([
    ["a message is missing", log.toSpliced(1, 1), /^stream sequence 2 is not in the log$/],
    ["the newest message is missing", log.toSpliced(3, 1), /^stream sequence 5 is not in the log$/],
    ["a message is logged twice", [...log, row(6, 5)], /^row 6: stream sequence 5 is in the log twice, first as row 5$/],
    ["two messages changed places", [row(1, 2), row(2, 1), ...log.slice(2)], /^row 1: stream sequence 2 was logged before row 2/],
    ["a different message is in its place", log.with(1, row(2, 2, "another")), /^row 2: differs from the stream's message/],
    ["a logged message is not in the stream", [...log, row(6, 6)], /^row 6: the stream has no message for the log at sequence 6/],
    [
      "an ignored message was logged",
      log.toSpliced(2, 0, row(3, 3)),
      /^row 3: the stream has no message for the log at sequence 3/,
    ],
    ["a message has no stream sequence", [...log, row(6, null)], /^row 6: a message without a stream sequence$/],
    ["a stored payload is damaged", log.with(0, { ...row(1, 1), isWhole: false }), /^row 1: the stored payload/],
  ])("reports that %s", (_, rows, fault) => {
    expect(compare(stream, rows).faults).toContainEqual(expect.stringMatching(fault));
  });

  it("accepts rows of a lost tail if the log records a rewind", () => {
    const setBack = [...log.slice(0, 2), row(3, 4, "lost"), row(4, 5, "lost"), row(5, 6, "lost"), row(7, 4), row(8, 5)];
    expect(compare(stream, setBack, 6)).toEqual({ faults: [], matched: 4, retired: 3 });
    expect(compare(stream, setBack).faults).toHaveLength(3);
  });

  it("accepts the same bytes twice only after a rewind", () => {
    const again = [...log, row(7, 5)];
    expect(compare(stream, again, 6)).toEqual({ faults: [], matched: 4, retired: 1 });
    expect(compare(stream, again, 5).faults).toEqual(["row 7: stream sequence 5 is in the log twice, first as row 5"]);
  });
});
