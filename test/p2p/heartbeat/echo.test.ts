/** The limits of the serving side of the echo protocols. */
import { beforeEach, expect, test } from "vitest";
import { answerChallenge, answerPings } from "../../../src/p2p/heartbeat/echo.ts";
import { ECHO_TIMEOUT_MS, MAX_PINGS_UNREAD_BYTES, PING_IDLE_MS } from "../../../src/p2p/wire/constants.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { FakeStream } from "../../support/fake-stream.ts";

let clock: VirtualClock;
let stream: FakeStream;
beforeEach(() => {
  clock = new VirtualClock();
  stream = new FakeStream();
});

const unexpected = (error: Error) => expect.unreachable(error.message);

test("a challenge without an end is reset after its time limit", async () => {
  const answered = answerChallenge(stream.asStream(), clock, unexpected);
  stream.receive(10);
  await clock.advance(ECHO_TIMEOUT_MS - 1);
  expect(stream.aborts).toEqual([]);
  await clock.advance(1);
  await answered;
  expect(stream.aborts).toMatchObject([{ code: "timeout" }]);
  expect(clock.pendingTimers).toBe(0);
});

test("pings are answered for as long as one comes in time", async () => {
  const answered = answerPings(stream.asStream(), clock, unexpected);
  for (let pings = 0; pings < 3; pings++) {
    await clock.advance(PING_IDLE_MS - 1);
    stream.receive(32);
  }
  expect(stream.aborts).toEqual([]);
  await clock.advance(PING_IDLE_MS);
  await answered;
  expect(stream.aborts).toMatchObject([{ code: "timeout" }]);
  expect(clock.pendingTimers).toBe(0);
});

test("pings whose answers are not read end the stream, counted from when all were read", async () => {
  const answered = answerPings(stream.asStream(), clock, unexpected);
  stream.isRead = false;
  for (let times = 0; times < 3; times++) {
    stream.drain();
    stream.receive(MAX_PINGS_UNREAD_BYTES);
  }
  await clock.advance(0);
  expect(stream.aborts).toEqual([]);
  stream.receive(1);
  await answered;
  expect(stream.aborts).toMatchObject([{ code: "buffer_full" }]);
  expect(clock.pendingTimers).toBe(0);
});
