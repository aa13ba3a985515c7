/** Cases that test/contract/ and the simulator do not cover: when a resync is requested, and what is logged. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Clock } from "../../../src/base/clock.ts";
import { PartnerdError } from "../../../src/base/errors.ts";
import { silentLogger } from "../../../src/base/log.ts";
import type {
  BrokerLink,
  BrokerStreamState,
  PullListener,
  PullRequest,
  PullStatus,
} from "../../../src/ingest/broker/broker-port.ts";
import type { ReceivedMessage } from "../../../src/ingest/ingest-buffer.ts";
import type { BrokerStreamReader } from "../../../src/ingest/stream/reader.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { CURSOR, ELSEWHERE, HELD, LINK, readerWith, replyOf, STREAM } from "../support/fake-broker.ts";

test("a resync requested while a reading starts is not forgotten", async () => {
  const stop = new AbortController();
  const starts: number[] = [];
  const reader = readerWith(silentLogger);
  const recreateConsumerAt = async (start: number) => {
    starts.push(start);
    if (starts.length === 1) reader.resync();
    if (starts.length === 2) stop.abort();
  };
  await reader.run({ ...LINK, recreateConsumerAt }, stop.signal);
  expect(starts).toEqual([6, 1]);
});

const HINT = "if this repeats, another program deletes the consumer";

test.each<[PullStatus, object]>([
  [{ kind: "consumer_deleted" }, { reason: "consumer_deleted", nextStep: HINT }],
  [{ kind: "no_responders" }, { reason: "consumer_missing", nextStep: undefined }],
  [
    { kind: "refused", code: 409, description: "Exceeded MaxWaiting" },
    { reason: "pull_refused", code: 409, description: "Exceeded MaxWaiting", nextStep: undefined },
  ],
])("the log says why reading restarts: %j", async (status, fields) => {
  const stop = new AbortController();
  const logger = new RecordingLogger();
  const openPull: BrokerLink["openPull"] = (listener) => ({
    request: ({ number }) => queueMicrotask(() => listener.status(number, status)),
    [Symbol.dispose]: () => setTimeout(() => stop.abort(), 0),
  });
  await readerWith(logger).run({ ...LINK, openPull }, stop.signal);
  expect(logger.at("warn").map((line) => line.fields)).toEqual([{ stream: STREAM.stream, ...fields }]);
});

test("a failure is logged again only if it is another one", async () => {
  const stop = new AbortController();
  const logger = new RecordingLogger();
  const failures = [
    new PartnerdError("nats_denied", "one wording", { details: { subject: "a" } }),
    new PartnerdError("nats_denied", "another wording", { details: { subject: "a" } }),
    new PartnerdError("nats_denied", "one wording", { details: { subject: "b" } }),
  ];
  const clock = new VirtualClock();
  const running = readerWith(logger, clock).run({ ...LINK, state: () => Promise.reject(failures.shift()) }, stop.signal);
  while (failures.length > 0) await clock.advance(1_000);
  stop.abort();
  await running;
  expect(logger.at("error").map((line) => (line.fields as { error: string }).error)).toEqual(["one wording", "one wording"]);
});

describe("a reading that restarts for a resync", () => {
  let clock: VirtualClock;
  let stop: AbortController;
  let state: BrokerLink["state"];
  let reader: BrokerStreamReader;
  let running: Promise<void>;
  const told = () => ({ reading: reader.reading, restarting: reader.restarting });

  beforeEach(async () => {
    clock = new VirtualClock();
    stop = new AbortController();
    state = () => LINK.state();
    reader = readerWith(silentLogger, clock);
    running = reader.run({ ...LINK, state: () => state() }, stop.signal);
    expect(told(), "before the first reading").toEqual({ reading: false, restarting: false });
    await clock.advance(10);
    expect(told()).toEqual({ reading: true, restarting: false });
  });

  afterEach(async () => {
    stop.abort();
    await running;
  });

  test("counts as restarting", async () => {
    reader.resync();
    await clock.advance(10);
    expect(told()).toEqual({ reading: false, restarting: true });
    await clock.advance(1_000);
    expect(told()).toEqual({ reading: true, restarting: false });
  });

  test("does so for 5 s at most", async () => {
    const answer = Promise.withResolvers<void>();
    state = () => answer.promise.then(() => LINK.state());
    reader.resync();
    await clock.advance(4_900);
    expect(told(), "the broker is slow").toEqual({ reading: false, restarting: true });
    await clock.advance(200);
    expect(told(), "too slow").toEqual({ reading: false, restarting: false });
    answer.resolve();
    await clock.advance(10);
    expect(reader.reading).toBe(true);
  });

  test("does not once it has failed", async () => {
    state = () => Promise.reject(new PartnerdError("nats_denied", "denied"));
    reader.resync();
    await clock.advance(1_000);
    expect(told()).toEqual({ reading: false, restarting: false });
  });
});

test.each<[number, boolean]>([
  [300, true],
  [6_000, false],
])("readings of %i ms that another daemon ends are a loop: %s", async (lastsMs, isLoop) => {
  const clock = new VirtualClock();
  const stop = new AbortController();
  let isShared = true;
  const openPull: BrokerLink["openPull"] = (listener) => {
    const request = ({ number }: PullRequest) => {
      if (isShared) clock.schedule(lastsMs, () => listener.status(number, { kind: "consumer_deleted" }));
      beat(number);
    };
    const beat = (number: number) => {
      listener.status(number, { kind: "alive" });
      clock.schedule(1_000, () => beat(number));
    };
    return { request, [Symbol.dispose]: () => {} };
  };
  const reader = readerWith(silentLogger, clock);
  const isReady = () => (reader.reading && reader.loop === null) || reader.restarting;
  const running = reader.run({ ...LINK, openPull }, stop.signal);
  await clock.advance(3 * (lastsMs + 300));
  for (let sample = 0; sample < 1_200; sample++) {
    await clock.advance(50);
    expect(isReady(), `sample ${sample}`).toBe(!isLoop);
  }
  expect(reader.restarts).toBeGreaterThanOrEqual(Math.floor(60_000 / (lastsMs + 300)));
  expect(reader.loop).toEqual(isLoop ? { reason: "consumer_deleted", nextStep: expect.any(String) as string } : null);

  isShared = false;
  await clock.advance(lastsMs + 300 + 5_000);
  expect({ reading: reader.reading, loop: reader.loop }, "it lasts").toEqual({ reading: true, loop: null });
  stop.abort();
  await running;
});

test.each<[string, BrokerStreamState, resyncAgain: boolean, starts: readonly number[]]>([
  ["resumes after what it logged", HELD, false, [6, 1, 4]],
  ["resumes at what the stream still holds", { ...HELD, firstSequence: 5 }, false, [6, 1, 5]],
  ["starts over on a rewound stream", { ...HELD, lastSequence: 3 }, false, [6, 1, 1]],
  ["starts over on a recreated stream", { ...HELD, created: "2026-02-02T00:00:00Z" }, false, [6, 1, 1]],
  ["resumes if it is requested again", HELD, true, [6, 1, 4]],
])("a resync that is interrupted %s", async (_, later, resyncAgain, expected) => {
  const clock = new VirtualClock();
  const starts: number[] = [];
  const buffered: ReceivedMessage[] = [];
  const broker: { state: BrokerStreamState; listener?: PullListener } = { state: HELD };
  const reader = readerWith(silentLogger, clock, (message) => buffered.push(message) > 0);
  const link: BrokerLink = {
    ...LINK,
    state: async () => broker.state,
    recreateConsumerAt: async (start) => void starts.push(start),
    openPull: (listener) => {
      broker.listener = listener;
      return LINK.openPull(listener);
    },
  };
  const connect = async () => {
    const lost = new AbortController();
    const running = reader.run(link, lost.signal);
    // It takes 5 s to believe that a stream was rewound.
    await clock.advance(broker.state.lastSequence < CURSOR.sequence ? 6_000 : 1_000);
    return () => {
      lost.abort();
      return running;
    };
  };
  const disconnect = await connect();
  reader.resync();
  await clock.advance(1_000);
  for (const sequence of [1, 2, 3, 4])
    broker.listener?.message({ subject: "s", data: new Uint8Array(), reply: replyOf(sequence, 5 - sequence) });
  expect(reader.rereading, "nothing is logged yet").toEqual({ sequence: 0, untilSequence: 5 });
  for (const message of buffered.slice(0, 3)) message.acknowledge?.();
  expect(reader.rereading).toEqual({ sequence: 3, untilSequence: 5 });
  await disconnect();
  buffered[3]?.acknowledge?.();
  expect(reader.rereading, "too late").toEqual({ sequence: 3, untilSequence: 5 });

  broker.state = later;
  if (resyncAgain) reader.resync();
  await (await connect())();
  expect(starts).toEqual(expected);
});

test("a resync is over once the last message is logged", async () => {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const logged: (() => void)[] = [];
  const broker: { listener?: PullListener } = {};
  const logger = new RecordingLogger();
  const reader = readerWith(logger, clock, ({ acknowledge }) => logged.push(acknowledge ?? (() => {})) > 0);
  const finished = () => logger.lines.filter(({ message }) => message === "resync finished").map(({ fields }) => fields);
  const openPull: BrokerLink["openPull"] = (listener) => {
    broker.listener = listener;
    return LINK.openPull(listener);
  };
  reader.resync();
  const running = reader.run({ ...LINK, openPull }, stop.signal);
  await clock.advance(10);
  for (const [sequence, pending] of [
    [1, 1],
    [2, 0],
  ] as const)
    broker.listener?.message({ subject: "s", data: new Uint8Array(), reply: replyOf(sequence, pending) });
  expect(reader.rereading, "buffered").toEqual({ sequence: 0, untilSequence: 5 });
  logged[0]?.();
  expect([reader.rereading, finished()], "logged in part").toEqual([{ sequence: 1, untilSequence: 5 }, []]);
  logged[1]?.();
  expect([reader.rereading, finished()], "logged").toEqual([null, [{ stream: STREAM.stream, sequence: 5 }]]);
  stop.abort();
  await running;
});

test.each([
  [2_000, 5, []],
  [60_000, 3, ["reused", "at_least_once"]],
])("a stream that ends before the cursor for %i ms is then at %i", async (oldAnswersMs, _, recorded) => {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const appended: string[] = [];
  const reader = readerWith(silentLogger, clock, undefined, (events) => appended.push(...events.map(({ reason }) => reason)));
  const state = async () => ({ ...HELD, lastSequence: clock.monotonicMs() < oldAnswersMs ? 3 : 5 });
  const running = reader.run({ ...LINK, state }, stop.signal);
  await clock.advance(1_500);
  expect([reader.reading, reader.problem?.code]).toEqual([false, "stream_behind"]);
  await clock.advance(6_000);
  expect(reader.reading).toBe(true);
  expect(appended).toEqual(recorded);
  stop.abort();
  await running;
});

/** Answers of two leaders that lag, with none for 4 s in between; and one that arrives 8 s after it was asked for. */
const OLD_ANSWERS: readonly (readonly [string, (nowMs: number, clock: Clock) => Promise<number>])[] = [
  [
    "of two leaders",
    async (nowMs) => {
      if (nowMs >= 2_000 && nowMs < 6_000) throw new PartnerdError("nats_unavailable", "no answer");
      return nowMs < 8_000 ? 3 : 5;
    },
  ],
  [
    "that arrives late",
    async (nowMs, clock) => {
      if (nowMs >= 4_000 && nowMs < 12_000) await new Promise<void>((resolve) => clock.schedule(12_000 - nowMs, resolve));
      return nowMs < 5_000 ? 3 : 5;
    },
  ],
];

test.each(OLD_ANSWERS)("an old answer %s does not say that the stream was rewound", async (_, lastSequenceAt) => {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const appended: string[] = [];
  const reader = readerWith(silentLogger, clock, undefined, (events) => appended.push(...events.map(({ reason }) => reason)));
  const state = async () => {
    const leader = clock.monotonicMs() < 6_000 ? "a" : "b";
    return { ...HELD, lastSequence: await lastSequenceAt(clock.monotonicMs(), clock), leader };
  };
  const running = reader.run({ ...LINK, state }, stop.signal);
  await clock.advance(30_000);
  expect([reader.reading, appended]).toEqual([true, []]);
  stop.abort();
  await running;
});

test("a rewound stream is read again by a broker that takes 1.9 s for each answer, and fails every other look", async () => {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const appended: string[] = [];
  const reader = readerWith(silentLogger, clock, undefined, (events) => appended.push(...events.map(({ reason }) => reason)));
  const after = async <Answer>(answer: Answer): Promise<Answer> => {
    await new Promise<void>((resolve) => clock.schedule(1_900, resolve));
    return answer;
  };
  let questions = 0;
  const consumer = async () => {
    questions += 1;
    if (questions % 2 === 0) throw new PartnerdError("nats_unavailable", "no answer");
    return after(ELSEWHERE);
  };
  const state = () => after({ ...HELD, lastSequence: 4 });
  const running = reader.run({ ...LINK, state, consumer }, stop.signal);
  await clock.advance(25_000);
  expect(appended).toEqual(["reused", "at_least_once"]);
  stop.abort();
  await clock.advance(10_000);
  await running;
});

test("a stream that was rewound once must be behind for as long again to be rewound twice", async () => {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const appended: string[] = [];
  const reader = readerWith(silentLogger, clock, undefined, (events) => appended.push(...events.map(({ reason }) => reason)));
  const running = reader.run({ ...LINK, state: async () => ({ ...HELD, lastSequence: 3 }) }, stop.signal);
  await clock.advance(7_000);
  expect([reader.reading, appended]).toEqual([true, ["reused", "at_least_once"]]);
  reader.resync();
  await clock.advance(3_000);
  expect([reader.problem?.code, appended.length]).toEqual(["stream_behind", 2]);
  stop.abort();
  await running;
});

test("the consumer of a rewound stream is recreated, even if it seems to be in place: that, too, may be an old answer", async () => {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const starts: number[] = [];
  const link: BrokerLink = {
    ...LINK,
    state: async () => ({ ...HELD, lastSequence: 3 }),
    consumer: async () => ({ ...ELSEWHERE, startSequence: 1 }),
    recreateConsumerAt: async (start) => void starts.push(start),
  };
  const running = readerWith(silentLogger, clock).run(link, stop.signal);
  await clock.advance(7_000);
  expect(starts).toEqual([1]);
  stop.abort();
  await running;
});
