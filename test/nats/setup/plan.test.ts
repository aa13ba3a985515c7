/** Cases that test/integration/nats-setup.test.ts does not cover with a real server. */
import { AckPolicy, type ConsumerConfig, DiscardPolicy, nanos, ReplayPolicy, type StreamConfig } from "nats";
import { describe, expect, it } from "vitest";
import { consumerConfig, consumerDifferences } from "../../../src/nats/setup/consumer-config.ts";
import { planSetup, type Wanted } from "../../../src/nats/setup/plan.ts";
import { streamConfig } from "../../../src/nats/setup/stream-config.ts";

const wanted: Wanted = { stream: "S", consumer: "c", subjects: ["a", "b"], limits: {} };

function planned(change: Partial<StreamConfig>) {
  const stream = { ...streamConfig("S", wanted.subjects), ...change } as StreamConfig;
  return planSetup({ stream, consumer: undefined, capturedElsewhere: [] }, wanted).stream;
}

describe("a stream", () => {
  it("that setup created needs nothing", () => {
    expect(planned({})).toMatchObject({ action: "keep", changes: [], obstacles: [], notes: [], config: {} });
  });

  it("that refuses new messages when full is changed to drop its oldest", () => {
    expect(planned({ discard: DiscardPolicy.New })).toMatchObject({
      action: "update",
      changes: [{ field: "discard", found: "new", required: "old" }],
      config: { discard: "old" },
    });
  });

  it("with other subjects too gets notes and only the missing subject", () => {
    const plan = planned({ subjects: ["a", "more.>"], discard: DiscardPolicy.New, no_ack: false });
    expect(plan).toMatchObject({ action: "update", config: { subjects: ["a", "more.>", "b"] } });
    expect(plan.changes.map(({ field }) => field)).toEqual(["subjects"]);
    expect(plan.notes.map((note) => note.split(" ", 1)[0])).toEqual(["no_ack", "discard"]);
  });

  it("that renames one of our subjects is an obstacle, but not one that renames others", () => {
    expect(planned({ subject_transform: { src: "a", dest: "z" } }).obstacles).toMatchObject([
      { field: "subject_transform", found: "a to z" },
    ]);
    expect(planned({ subject_transform: { dest: "z.>" } }).obstacles).toHaveLength(1);
    expect(planned({ subject_transform: { src: "x.>", dest: "z.>" } }).obstacles).toEqual([]);
  });
});

describe("a consumer", () => {
  const made = consumerConfig("c", 7) as ConsumerConfig;
  it("that setup created has no differences, wherever it starts", () => {
    expect(consumerDifferences(made)).toEqual([]);
    expect(consumerDifferences({ ...made, opt_start_seq: 1, ack_wait: nanos(60_000), max_ack_pending: -1 })).toEqual([]);
    expect(consumerDifferences({ ...made, filter_subject: ">" })).toEqual([]);
  });

  const changes: readonly Partial<ConsumerConfig>[] = [
    { ack_policy: AckPolicy.Explicit },
    { deliver_subject: "x" },
    { filter_subject: "a" },
    { filter_subjects: ["a", "b"] },
    { ack_wait: nanos(1_000) },
    { backoff: [nanos(1_000)] },
    { max_ack_pending: 1 },
    { max_deliver: 5 },
    { max_batch: 100 },
    { max_expires: nanos(5_000) },
    { headers_only: true },
    { replay_policy: ReplayPolicy.Original },
  ];
  it.each(changes)("with %j differs in exactly that", (change) => {
    const [difference, ...others] = consumerDifferences({ ...made, ...change });
    expect(others).toEqual([]);
    expect(Object.keys(change)[0]).toContain(difference?.field);
  });
});
