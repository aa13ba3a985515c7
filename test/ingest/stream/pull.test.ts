import { beforeEach, expect, test } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import type { BrokerMessage, PullListener, PullRequest } from "../../../src/ingest/broker/broker-port.ts";
import { Pull } from "../../../src/ingest/stream/pull.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";

const MESSAGE: BrokerMessage = { subject: "s", data: new Uint8Array(), reply: "" };

let clock: VirtualClock;
let requests: PullRequest[];
/** The reports of the pull, in order. */
let told: string[];
let broker: PullListener;
let isClosed: boolean;

beforeEach(() => {
  clock = new VirtualClock();
  requests = [];
  told = [];
  isClosed = false;
});

function start(onMessage: (pull: Pull) => void = () => {}): Pull {
  const pull: Pull = new Pull({
    link: {
      openPull: (listener) => {
        broker = listener;
        return { request: (request) => void requests.push(request), [Symbol.dispose]: () => told.push("channel closed") };
      },
      isClosed: () => isClosed,
    },
    clock,
    onMessage: () => {
      told.push("message");
      onMessage(pull);
    },
    onRequestOver: () => told.push("over"),
    onEnded: (end) => told.push(end instanceof PartnerdError ? end.code : end.reason),
  });
  return pull;
}

test("a request is over with its last message, or when the broker says so; requests are numbered from one", () => {
  const pull = start();
  pull.request(2);
  broker.message(MESSAGE);
  expect([pull.isPulling, told]).toEqual([true, ["message"]]);
  broker.message(MESSAGE);
  expect([pull.isPulling, told]).toEqual([false, ["message", "message", "over"]]);
  pull.request(2);
  broker.status(1, { kind: "over" });
  expect(pull.isPulling, "an earlier request").toBe(true);
  broker.status(2, { kind: "alive" });
  expect(pull.isPulling).toBe(true);
  clock.advanceSync(1_000);
  broker.status(2, { kind: "over" });
  expect([pull.isPulling, told.slice(3)]).toEqual([false, ["over"]]);
  expect(requests.map(({ number, messages }) => [number, messages])).toEqual([
    [1, 2],
    [2, 2],
  ]);
});

test("a request that is over at once and brought nothing is repeated after a pause", () => {
  const pull = start();
  clock.advanceSync(400);
  pull.request(2);
  broker.status(1, { kind: "over" });
  clock.advanceSync(99);
  expect([pull.isPulling, told]).toEqual([true, []]);
  clock.advanceSync(1);
  expect([pull.isPulling, told]).toEqual([false, ["over"]]);
  clock.advanceSync(500);
  expect(told).toEqual(["over"]);
});

test("a request is not over if its last message ends the reading", () => {
  const pull = start((self) => self[Symbol.dispose]());
  pull.request(1);
  broker.message(MESSAGE);
  expect(told).toEqual(["message", "channel closed"]);
});

test("nothing is requested on a closed connection", () => {
  const pull = start();
  isClosed = true;
  pull.request(1);
  expect([requests, pull.isPulling]).toEqual([[], false]);
});

test("a subscription that fails ends it, once", () => {
  start();
  broker.failed("denied");
  broker.failed("again");
  expect(told).toEqual(["channel closed", "subscription_failed"]);
  expect(clock.pendingTimers).toBe(0);
});

test("a broker that sends no heartbeat for more than 3.75 s is unavailable", async () => {
  start().request(1);
  for (let heartbeats = 0; heartbeats < 3; heartbeats++) {
    await clock.advance(1_250);
    broker.status(1, { kind: "alive" });
  }
  // It looks twice a second.
  await clock.advance(3_750);
  expect(told).toEqual([]);
  await clock.advance(500);
  expect(told).toEqual(["channel closed", "nats_unavailable"]);
  expect(clock.pendingTimers).toBe(0);
});

test("without a request, no heartbeat is expected; a disposed pull looks no more", async () => {
  const pull = start();
  await clock.advance(60_000);
  expect(told).toEqual([]);
  pull[Symbol.dispose]();
  expect(clock.pendingTimers).toBe(0);
});
