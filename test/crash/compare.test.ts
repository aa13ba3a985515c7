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
/** 3 is not meant for the log. */
const stream = [message(1), message(2), message(4), message(5)];
const log = [row(1, 1), row(2, 2), row(4, 4), row(5, 5)];

describe("the stream against the log", () => {
  it("finds nothing where every message is there once and in order, whatever else the log holds in between", () => {
    expect(compare(stream, log)).toEqual({ faults: [], matched: 4, retired: 0 });
  });

  it.each<[string, readonly LoggedMessage[], RegExp]>([
    ["a message is missing", log.toSpliced(1, 1), /^stream sequence 2 is not in the log$/],
    ["the newest message is missing", log.toSpliced(3, 1), /^stream sequence 5 is not in the log$/],
    ["a message is there twice", [...log, row(6, 5)], /^row 6: stream sequence 5 is in the log twice, first as row 5$/],
    ["two messages changed places", [row(1, 2), row(2, 1), ...log.slice(2)], /^row 1: stream sequence 2 comes before row 2/],
    ["another message stands in its place", log.with(1, row(2, 2, "another")), /^row 2: it is not the message/],
    ["there is a message that the stream never had", [...log, row(6, 6)], /^row 6: at sequence 6 the stream holds nothing/],
    [
      "a message that is to be ignored was logged",
      log.toSpliced(2, 0, row(3, 3)),
      /^row 3: at sequence 3 the stream holds nothing/,
    ],
    ["a message came another way", [...log, row(6, null)], /^row 6: a message without a stream sequence$/],
    ["a stored payload is damaged", log.with(0, { ...row(1, 1), isWhole: false }), /^row 1: the stored payload/],
  ])("tells that %s", (_, rows, fault) => {
    expect(compare(stream, rows).faults).toContainEqual(expect.stringMatching(fault));
  });

  it("lets rows of a lost tail be where the log says that the stream was set back", () => {
    const setBack = [...log.slice(0, 2), row(3, 4, "lost"), row(4, 5, "lost"), row(5, 6, "lost"), row(7, 4), row(8, 5)];
    expect(compare(stream, setBack, 6)).toEqual({ faults: [], matched: 4, retired: 3 });
    expect(compare(stream, setBack).faults).toHaveLength(3);
  });

  it("lets the same bytes be there again after the stream was set back, and only then", () => {
    const again = [...log, row(7, 5)];
    expect(compare(stream, again, 6)).toEqual({ faults: [], matched: 4, retired: 1 });
    expect(compare(stream, again, 5).faults).toEqual(["row 7: stream sequence 5 is in the log twice, first as row 5"]);
  });
});
