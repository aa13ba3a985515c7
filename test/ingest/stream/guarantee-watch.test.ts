import { expect, test } from "vitest";
import type { BrokerStreamState, ConsumerState } from "../../../src/ingest/broker/broker-port.ts";
import { GuaranteeWatch } from "../../../src/ingest/stream/guarantee-watch.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";

const OWNER = { peerId: "us", run: "1" };
const FOUND: BrokerStreamState = {
  stream: "S",
  created: "2026-01-01T00:00:00Z",
  firstSequence: 1,
  lastSequence: 5,
  uncaptured: [],
  limits: "1 GiB",
  leader: null,
};
const PLACED: ConsumerState = {
  startSequence: 6,
  delivered: { consumerSequence: 0, streamSequence: 0 },
  unacknowledged: 0,
  waitingRequests: 1,
  acknowledged: 5,
  owner: OWNER,
  isPaused: false,
  isAsRequired: true,
};
/** The promise of docs/OPERATING.md. */
const REPORTED_WITHIN_MS = 10_000;

/** Reports after a stream has been read for a while, and its state or its consumer is then this. */
async function told(change: {
  state?: Partial<BrokerStreamState>;
  consumer?: Partial<ConsumerState> | null;
  acknowledged?: number;
}) {
  const clock = new VirtualClock();
  const reports: unknown[] = [];
  let acknowledged = 5;
  let [state, consumer]: [BrokerStreamState, ConsumerState | undefined] = [FOUND, PLACED];
  using _watch = new GuaranteeWatch({
    link: { state: async () => state, consumer: async () => consumer },
    clock,
    found: FOUND,
    owner: OWNER,
    acknowledged: () => acknowledged,
    onLooked: (problem) => void (problem !== null && reports.push(problem.code)),
    onLimits: (before, after) => reports.push([before, after]),
    onEnded: (end) => reports.push("reason" in end ? end.reason : end.code),
  });
  await clock.advance(60_000);
  expect(reports, "nothing has changed yet").toEqual([]);
  acknowledged = change.acknowledged ?? acknowledged;
  state = { ...FOUND, ...change.state };
  consumer = change.consumer === null ? undefined : { ...PLACED, ...change.consumer };
  await clock.advance(REPORTED_WITHIN_MS);
  return reports[0];
}

test.each<[string, Parameters<typeof told>[0], unknown]>([
  ["the stream was recreated", { state: { created: "2026-02-02T00:00:00Z" } }, "stream_recreated"],
  ["it captures other subjects", { state: { uncaptured: ["a.b"] } }, "capture_changed"],
  ["it was sealed", { state: { refusal: "sealed" } }, "capture_changed"],
  ["its limits changed", { state: { limits: "1 MiB" } }, ["1 GiB", "1 MiB"]],
  ["the consumer was deleted", { consumer: null }, "consumer_missing"],
  ["another daemon took it", { consumer: { owner: { peerId: "us", run: "2" } } }, "consumer_taken"],
  ["another daemon acknowledged what it has not delivered", { consumer: { acknowledged: 6 } }, "consumer_moved"],
  ["its settings changed", { consumer: { isAsRequired: false } }, "consumer_changed"],
  ["acknowledgements are lost on the way", { acknowledged: 6 }, "acknowledgements_lost"],
  [
    "none is lost",
    { acknowledged: 6, consumer: { acknowledged: 6, delivered: { consumerSequence: 1, streamSequence: 6 } } },
    undefined,
  ],
  ["it was paused", { consumer: { isPaused: true } }, "consumer_paused"],
])("within ten seconds it is reported that %s", async (_, change, report) => {
  expect(await told(change)).toEqual(report);
});

test("a broker that does not answer is asked again, and nothing is asked after the end", async () => {
  const clock = new VirtualClock();
  let looks = 0;
  const state = () => {
    looks += 1;
    return Promise.reject(new Error("no answer"));
  };
  const watch = new GuaranteeWatch({
    link: { state, consumer: async () => PLACED },
    clock,
    found: FOUND,
    owner: OWNER,
    acknowledged: () => 0,
    onLooked: () => {},
    onLimits: () => {},
    onEnded: () => expect.unreachable(),
  });
  await clock.advance(20_000);
  expect(looks).toBe(5);
  watch[Symbol.dispose]();
  await clock.advance(20_000);
  expect(looks).toBe(5);
});

test("a stream that no longer is the one it was is reported once, and not looked at any more", async () => {
  const clock = new VirtualClock();
  const ends: unknown[] = [];
  using _watch = new GuaranteeWatch({
    link: { state: async () => ({ ...FOUND, created: "later" }), consumer: async () => PLACED },
    clock,
    found: FOUND,
    owner: OWNER,
    acknowledged: () => 0,
    onLooked: () => {},
    onLimits: () => {},
    onEnded: (end) => ends.push(end),
  });
  await clock.advance(60_000);
  expect(ends).toEqual([{ reason: "stream_recreated" }]);
  expect(clock.pendingTimers).toBe(0);
});
