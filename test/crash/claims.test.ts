import { describe, expect, it } from "vitest";
import { type Claim, type Deeds, falseClaims, missingSpans, type Rollback, unsaidRollbacks } from "./claims.ts";

const claim = (type: Claim["type"], reason: string, first: number | null, last: number | null, seq = 50): Claim => ({
  seq,
  type,
  reason,
  first,
  last,
  otherRun: null,
});
const gap = (reason: string, first: number, last: number | null, seq?: number) => claim("DeliveryGap", reason, first, last, seq);
const rolledBack = (first: number, last: number, seq = 40) => claim("LogRolledBack", "acknowledged", first, last, seq);
const cloneSeen = (otherRun: string): Claim => ({ ...claim("CloneSeen", "consumer", null, null), otherRun });

/** To row 30 with cursor 100; up to 200 was acknowledged, and up to 230 logged. */
const ROLLBACK: Rollback = { afterSeq: 30, sequence: 100, acknowledged: 200, isExact: true, had: 230 };
const NOTHING: Deeds = { rollbacks: [], clones: [], purgedUpTo: 0, isRewound: false };
const PURGED: Deeds = { ...NOTHING, purgedUpTo: 160 };
const BOTH: Deeds = { ...PURGED, rollbacks: [ROLLBACK] };

describe("true claims", () => {
  it.each<[string, readonly Claim[], Deeds]>([
    ["the stream is followed", [claim("DeliveryChanged", "at_least_once", 1, null)], NOTHING],
    ["a log begins after a purge", [claim("DeliveryChanged", "at_least_once", 161, null)], PURGED],
    ["messages were purged", [gap("purged", 101, 160)], PURGED],
    ["the log was rolled back", [rolledBack(101, 200)], BOTH],
    ["and had what was purged", [rolledBack(101, 200), gap("rolled_back", 101, 160)], BOTH],
    [
      "and had only some of what was purged",
      [rolledBack(101, 200), gap("rolled_back", 101, 200), gap("purged", 201, 250)],
      { ...BOTH, purgedUpTo: 250 },
    ],
    ["nothing is left to compare", [gap("unproven", 90, 100)], PURGED],
    ["the server lost messages", [gap("reused", 101, null)], { ...NOTHING, isRewound: true }],
    ["a clone ran", [cloneSeen("other")], { ...NOTHING, clones: ["other"] }],
    [
      "a clone was copied before the original read on",
      [rolledBack(101, 150)],
      { ...NOTHING, rollbacks: [{ ...ROLLBACK, isExact: false }] },
    ],
  ])("%s", (_, claims, deeds) => {
    expect(falseClaims(claims, deeds)).toEqual([]);
  });
});

describe("false claims", () => {
  it.each<[string, readonly Claim[], Deeds, RegExp]>([
    ["a rollback that did not happen", [rolledBack(101, 200)], NOTHING, /row 40: .*sequences 101 to 200, but no such rollback/],
    ["a rollback of other messages", [rolledBack(102, 200)], BOTH, /no such rollback/],
    ["a rollback that reaches too far", [rolledBack(101, 201)], BOTH, /no such rollback/],
    ["one rollback twice", [rolledBack(101, 200), rolledBack(101, 200, 45)], BOTH, /row 45: .*no such rollback/],
    ["a rollback before it happened", [rolledBack(101, 200, 30)], BOTH, /no such rollback/],
    [
      "messages never received that had been logged",
      [rolledBack(101, 200), gap("purged", 101, 160)],
      BOTH,
      /row 50: .*purged.*logged those up to 200 before its rollback/,
    ],
    ["messages had that it never had", [gap("rolled_back", 101, 160)], PURGED, /the log never had them/],
    ["messages missing that the stream has", [gap("purged", 101, 161)], PURGED, /purged only up to sequence 160/],
    ["the same of a rollback", [rolledBack(101, 200), gap("rolled_back", 101, 161)], BOTH, /purged only up to sequence 160/],
    ["a comparison impossible that is not", [gap("unproven", 90, 161)], PURGED, /purged only up to/],
    ["a gap of nothing", [gap("purged", 101, 100)], PURGED, /names no messages/],
    ["a rewound stream", [gap("reused", 101, null)], BOTH, /the server lost nothing/],
    ["a recreated stream", [gap("recreated", 101, null)], BOTH, /never recreated/],
    ["a clone that never ran", [cloneSeen("own")], { ...NOTHING, clones: ["other"] }, /of run own, but no clone/],
    ["subjects that are not captured", [claim("DeliveryChanged", "not_captured", 5, null)], NOTHING, /captured all subjects/],
    ["a late beginning", [claim("DeliveryChanged", "at_least_once", 162, null)], PURGED, /held earlier messages/],
  ])("%s", (_, claims, deeds, fault) => {
    expect(falseClaims(claims, deeds)).toEqual([expect.stringMatching(fault)]);
  });
});

describe("a rollback", () => {
  it("must be named if the consumer proves it", () => {
    expect(unsaidRollbacks([], [ROLLBACK])).toEqual([expect.stringMatching(/101 to 200 had been acknowledged/)]);
    expect(unsaidRollbacks([rolledBack(101, 200)], [ROLLBACK])).toEqual([]);
  });

  it("cannot be seen if nothing was acknowledged since", () => {
    expect(unsaidRollbacks([], [{ ...ROLLBACK, acknowledged: 100 }])).toEqual([]);
    expect(unsaidRollbacks([], [{ ...ROLLBACK, isExact: false }])).toEqual([]);
  });
});

it("a log lacks only what its gaps say that it lacks", () => {
  const claims = [
    gap("purged", 1, 2),
    gap("rolled_back", 4, 5),
    gap("unproven", 6, 7),
    gap("reused", 8, null),
    rolledBack(9, 10),
  ];
  expect(missingSpans(claims)).toEqual([
    { first: 1, last: 2 },
    { first: 4, last: 5 },
  ]);
});
