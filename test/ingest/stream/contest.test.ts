import { expect, test } from "vitest";
import type { ConsumerOwner } from "../../../src/ingest/broker/broker-port.ts";
import { Contest } from "../../../src/ingest/stream/contest.ts";

const US: ConsumerOwner = { peerId: "us", run: "1" };
const CLONE: ConsumerOwner = { peerId: "us", run: "2" };
const STRANGER: ConsumerOwner = { peerId: "them", run: "3" };

const held = (owner: ConsumerOwner | undefined, waitingRequests = 1) => ({ owner, waitingRequests });

function taken(by: ConsumerOwner): Contest {
  const contest = new Contest(US);
  contest.placed();
  contest.looked(held(by), 0);
  return contest;
}

test("a consumer of an earlier run, or of setup, is not reported", () => {
  const contest = new Contest(US);
  contest.looked(held(CLONE), 0);
  contest.placed();
  for (const owner of [US, undefined]) contest.looked(held(owner), 0);
  contest.looked(undefined, 0);
  expect(contest.current(0)).toBeNull();
  expect(contest.unrecorded).toBeNull();
});

test.each([
  [CLONE, "identity_cloned"],
  [STRANGER, "consumer_shared"],
])("a daemon that takes our consumer is reported for a minute: %j", (other, code) => {
  const contest = taken(other);
  expect([contest.current(59_999)?.code, contest.current(60_000)]).toEqual([code, null]);
});

test("the report says when the other daemon was last seen, and for how long it lasts", () => {
  expect(taken(STRANGER).current(34_200)).toMatchObject({
    message: "the daemon of them (run 3) reads with our consumer; last seen 34 s ago",
    nextStep: "give each daemon its own nats.consumer; this is reported until 1 min after the other daemon was last seen",
  });
  const contest = new Contest(US, { evidence: "published_head", overMs: 180_000 });
  contest.placed();
  contest.looked(held(CLONE), 0);
  expect(contest.current(61_000)).toMatchObject({
    message: "another daemon (run 2) runs with our identity, us; last seen 61 s ago",
    nextStep: expect.stringMatching(/^stop one of the two; .* until 3 min after the other daemon was last seen$/) as string,
  });
});

test("a clone is recorded as one that took the consumer, unless it is noticed otherwise", () => {
  expect(taken(CLONE).unrecorded).toEqual({ type: "CloneSeen", reason: "consumer", details: { otherRun: "2" } });
  const contest = new Contest(US, { evidence: "published_head" });
  contest.placed();
  contest.looked(held(CLONE), 0);
  expect(contest.unrecorded?.reason).toBe("published_head");
});

test("it may keep the consumer for eight seconds, unless it has stopped", () => {
  const contest = taken(CLONE);
  expect(contest.yields(held(CLONE), 7_999)).toBe(true);
  expect(contest.yields(held(CLONE), 8_000)).toBe(false);
  expect(contest.yields(held(CLONE, 0), 1)).toBe(false);
  expect(contest.yields(undefined, 1)).toBe(false);
});

test("each run of a clone is recorded once, and no more than sixteen", () => {
  const contest = new Contest(US);
  let records = 0;
  for (let run = 2; run < 100; run++) {
    for (let times = 0; times < 2; times++) {
      contest.placed();
      contest.looked(held({ peerId: "us", run: `${run}` }), 0);
      const { unrecorded } = contest;
      if (unrecorded === null) continue;
      records += 1;
      contest.recorded(unrecorded);
    }
  }
  expect(records).toBe(16);
  expect(taken(STRANGER).unrecorded).toBeNull();
});
