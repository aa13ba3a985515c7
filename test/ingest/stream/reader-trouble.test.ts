/** The reader while the broker, the connection or another daemon gets in its way. */
import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import type {
  BrokerLink,
  BrokerStreamState,
  ConsumerState,
  PullListener,
  PullRequest,
} from "../../../src/ingest/broker/broker-port.ts";
import type { BrokerStreamReader } from "../../../src/ingest/stream/reader.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { ELSEWHERE, HELD, LINK, OWNER, readerWith, replyOf } from "../support/fake-broker.ts";

const UNAVAILABLE = new PartnerdError("nats_unavailable", "no answer");
const IN_PLACE: ConsumerState = { ...ELSEWHERE, startSequence: 6 };
const CLONE = { peerId: "us", run: "2" };

let clock: VirtualClock;
let stop: AbortController;
let logger: RecordingLogger;
let appended: string[];
/** How often the buffer was emptied. */
let discards: number;
let reader: BrokerStreamReader;
let running: Promise<void> | undefined;
/** The starts of the consumers that were created. */
let starts: number[];
let requests: PullRequest[];
let openChannels: Set<PullListener>;
let broker: PullListener;

beforeEach(() => {
  clock = new VirtualClock();
  stop = new AbortController();
  logger = new RecordingLogger();
  appended = [];
  starts = [];
  requests = [];
  openChannels = new Set();
  running = undefined;
  discards = 0;
  const onAppended = (events: readonly { readonly reason: string }[]) => appended.push(...events.map(({ reason }) => reason));
  reader = readerWith(logger, clock, undefined, onAppended, {
    counts: () => ({ dropped: 0, buffered: 3 }),
    discard: () => {
      discards += 1;
    },
  });
});
afterEach(async () => {
  stop.abort();
  await running;
  expect(openChannels.size).toBe(0);
  expect(clock.pendingTimers).toBe(0);
});

/** Reads from a broker that differs in these. */
async function read(link: Partial<BrokerLink>): Promise<void> {
  const openPull: BrokerLink["openPull"] = (listener) => {
    broker = listener;
    openChannels.add(listener);
    return {
      request: (request) => {
        requests.push(request);
        beating?.[Symbol.dispose]();
        beat(request.number);
      },
      [Symbol.dispose]: () => {
        openChannels.delete(listener);
        beating?.[Symbol.dispose]();
      },
    };
  };
  let beating: Disposable | undefined;
  const beat = (number: number) => {
    beating = clock.schedule(1_000, () => {
      broker.status(number, { kind: "alive" });
      beat(number);
    });
  };
  const recreateConsumerAt = async (start: number) => void starts.push(start);
  running = reader.run({ ...LINK, openPull, recreateConsumerAt, ...link }, stop.signal);
  await clock.advance(0);
}

const deliver = (sequence: number, pending: number) =>
  broker.message({ subject: "s", data: new Uint8Array(), reply: replyOf(sequence, pending) });

const restarts = () => logger.at("warn").map(({ fields }) => (fields as { reason?: string }).reason);

test("it reads as soon as the server has answered, which takes no time of its own", async () => {
  const answer = Promise.withResolvers<void>();
  await read({ ping: () => answer.promise });
  expect([reader.reading, requests.length]).toEqual([false, 1]);
  answer.resolve();
  await clock.advance(0);
  expect(reader.reading).toBe(true);
});

test("one that is refused each request before the server has answered a ping is in a loop", async () => {
  await read({ ping: () => new Promise(() => {}) });
  for (let times = 0; times < 3; times++) {
    broker.status(1, { kind: "refused", code: 409, description: "Exceeded MaxRequestBatch of 100" });
    await clock.advance(250);
  }
  expect([reader.reading, reader.restarting, reader.loop?.reason]).toEqual([
    false,
    false,
    "pull_refused (Exceeded MaxRequestBatch of 100)",
  ]);
});

test("how far it is behind counts what is buffered, and is unknown while it does not read", async () => {
  expect(reader.behind).toBeNull();
  await read({ state: async () => ({ ...HELD, lastSequence: 10 }) });
  expect(reader.behind).toBe(5 + 3);
  stop.abort();
  await running;
  expect(reader.behind).toBeNull();
});

test("a stream of which the log has all is none behind", async () => {
  await read({ state: async () => ({ ...HELD, firstSequence: 6 }) });
  expect(reader.behind).toBe(3);
});

describe("a consumer", () => {
  test("that is at the cursor is used as it is: its next delivery is the one after its last", async () => {
    await read({
      consumer: async () => ({ ...IN_PLACE, startSequence: 1, delivered: { consumerSequence: 5, streamSequence: 5 } }),
    });
    deliver(6, 0);
    await clock.advance(1_000);
    expect([starts, reader.reading, reader.restarts]).toEqual([[], true, 0]);
  });

  test.each([2, 4])("of ours that has acknowledged only %i of 5 is believed, and read again from there", async (acknowledged) => {
    await read({ consumer: async () => ({ ...IN_PLACE, acknowledged }) });
    expect([starts, reader.reading, appended]).toEqual([[acknowledged + 1], true, []]);
    expect(logger.at("info")).toContainEqual(
      expect.objectContaining({
        message: "reading stream",
        fields: expect.objectContaining({ sequence: acknowledged + 1, rereads: true }) as object,
      }),
    );
  });

  test("that is elsewhere, or that a resync needs elsewhere, is created again, before anything is requested", async () => {
    const created = Promise.withResolvers<void>();
    await read({
      consumer: async () => IN_PLACE,
      recreateConsumerAt: (start) => {
        starts.push(start);
        return created.promise;
      },
    });
    expect([starts, requests.length]).toEqual([[], 1]);
    reader.resync();
    await clock.advance(1_000);
    expect([starts, requests.length]).toEqual([[1], 1]);
    created.resolve();
    await clock.advance(0);
    expect(requests.length).toBe(2);
    expect(restarts()).toEqual(["resync"]);
  });
});

test("each reading begins with an empty buffer; a resync that is requested while it begins restarts it", async () => {
  const recreateConsumerAt = async (start: number) => {
    starts.push(start);
    if (starts.length === 1) reader.resync();
  };
  await read({ recreateConsumerAt });
  expect([discards, restarts()]).toEqual([1, ["resync"]]);
  await clock.advance(250);
  expect([discards, starts]).toEqual([2, [6, 1]]);
});

test("a new connection on which nothing was read yet does not count as restarting", async () => {
  let isClosed = false;
  await read({ isClosed: () => isClosed });
  broker.status(1, { kind: "consumer_deleted" });
  await clock.advance(0);
  expect(reader.restarting).toBe(true);
  isClosed = true;
  await clock.advance(250);
  await running;
  await read({ state: () => new Promise(() => {}) });
  expect(reader.restarting).toBe(false);
  running = undefined;
});

describe("a stream that is recreated", () => {
  const later: BrokerStreamState = { ...HELD, created: "2026-02-02T00:00:00Z" };

  test("while the consumer is placed: reading starts again", async () => {
    const states = [HELD, later];
    await read({ state: async () => states.shift() ?? later });
    expect([reader.reading, restarts()]).toEqual([false, ["stream_recreated"]]);
  });

  test("while its messages are compared: they are not taken for those of a rewound stream", async () => {
    const states = [HELD, later];
    await read({ state: async () => states.shift() ?? later, hashAt: async () => "another" });
    expect([restarts(), appended]).toEqual([["stream_recreated"], []]);
  });

  test("if it was not, they are", async () => {
    await read({ hashAt: async () => "another" });
    expect([restarts(), appended]).toEqual([[], ["reused", "at_least_once"]]);
  });
});

describe("a leader that takes over while messages are compared", () => {
  const fromA: BrokerStreamState = { ...HELD, leader: "a" };
  const unknown = { hashAt: async () => undefined, consumer: async () => undefined };

  test("and has not caught up is asked again: the log does not say that nothing is left of them", async () => {
    const states = [fromA, { ...fromA, leader: "b" }];
    await read({ ...unknown, state: async () => states.shift() ?? fromA });
    expect([restarts(), appended]).toEqual([["inconsistent_answers"], []]);
  });

  test("is noticed by a stream that has become shorter, too", async () => {
    const states = [fromA, { ...fromA, lastSequence: fromA.lastSequence - 1 }];
    await read({ ...unknown, state: async () => states.shift() ?? fromA });
    expect([restarts(), appended]).toEqual([["inconsistent_answers"], []]);
  });

  test("if there was none, the log does say so", async () => {
    await read(unknown);
    expect([restarts(), appended]).toEqual([[], ["unproven"]]);
  });
});

describe("the end of a reading", () => {
  test("by the connection stops at once, and leaves no listener behind", async () => {
    const closed = Promise.withResolvers<void>();
    let isClosed = false;
    await read({ closed: () => closed.promise, isClosed: () => isClosed });
    expect(getEventListeners(stop.signal, "abort")).toHaveLength(1);
    isClosed = true;
    closed.resolve();
    await clock.advance(0);
    await running;
    expect(reader.reading).toBe(false);
    expect(getEventListeners(stop.signal, "abort")).toHaveLength(0);
    expect(restarts()).toEqual([]);
  });

  test("by a denial is a failure, and reading is tried again", async () => {
    const denials: ((denied: PartnerdError) => void)[] = [];
    await read({ onDenied: (listener) => denials.push(listener) });
    for (const deny of denials) deny(new PartnerdError("nats_denied", "denied"));
    await clock.advance(0);
    expect([reader.reading, reader.problem?.code]).toEqual([false, "nats_denied"]);
    await clock.advance(1_000);
    expect([reader.reading, reader.problem]).toEqual([true, null]);
  });

  test("by denials that follow the answer to its ping by a moment comes before it reads, and so never makes a loop", async () => {
    const denials: ((denied: PartnerdError) => void)[] = [];
    const ping = async () => {
      void Promise.resolve()
        .then(() => {})
        .then(() => {})
        .then(() => denials.at(-1)?.(new PartnerdError("nats_denied", "denied")));
    };
    await read({ ping, onDenied: (listener) => denials.push(listener) });
    await clock.advance(4_500);
    expect([reader.reading, reader.problem?.code, reader.loop]).toEqual([false, "nats_denied", null]);
  });

  test.each([
    [1, 256],
    [0, 1_024],
  ])("with %i messages outstanding requests %i at a time", async (outstanding, window) => {
    await read({ state: async () => ({ ...HELD, lastSequence: 5 + outstanding }) });
    broker.status(1, { kind: "consumer_deleted" });
    await clock.advance(250);
    expect(requests.map(({ messages }) => messages)).toEqual([1_024 - 3, window - 3]);
    expect([reader.restarts, restarts()]).toEqual([1, ["consumer_deleted"]]);
  });

  test("after many deliveries makes requests larger again", async () => {
    await read({ state: async () => ({ ...HELD, lastSequence: 6 }) });
    broker.status(1, { kind: "consumer_deleted" });
    await clock.advance(250);
    for (let delivery = 1; delivery <= 4_096; delivery++)
      broker.message({ subject: "s", data: new Uint8Array(), reply: `$JS.ACK.S.C.1.${delivery + 5}.${delivery}.1000.0` });
    broker.status(requests.at(-1)?.number ?? 0, { kind: "consumer_deleted" });
    await clock.advance(250);
    expect(requests.at(-1)?.messages).toBe(512 - 3);
  });
});

describe("a broker that does not answer", () => {
  const closes: number[] = [];
  const close = async () => void closes.push(clock.monotonicMs());
  beforeEach(() => {
    closes.length = 0;
  });

  test("a ping either has its connection closed after 1.5 s", async () => {
    await read({ state: () => Promise.reject(UNAVAILABLE), ping: () => new Promise(() => {}), close });
    await clock.advance(1_499);
    expect(closes).toEqual([]);
    await clock.advance(1);
    expect(closes).toEqual([1_500]);
  });

  test("a ping, but with an error, has it closed at once", async () => {
    await read({ state: () => Promise.reject(UNAVAILABLE), ping: () => Promise.reject(UNAVAILABLE), close });
    expect(closes).toEqual([0]);
  });

  test("is asked nothing more until its connection has closed", async () => {
    const closed = Promise.withResolvers<void>();
    let questions = 0;
    const state = () => {
      questions += 1;
      return Promise.reject(UNAVAILABLE);
    };
    await read({ state, ping: () => Promise.reject(UNAVAILABLE), close: () => closed.promise });
    await clock.advance(5_000);
    expect(questions).toBe(1);
    closed.resolve();
    await clock.advance(1_000);
    expect(questions).toBe(2);
  });

  test("the question, but a ping, keeps its connection, and is asked again after a second", async () => {
    let questions = 0;
    await read({
      state: () => {
        questions += 1;
        return Promise.reject(UNAVAILABLE);
      },
      close,
    });
    await clock.advance(999);
    expect([questions, closes]).toEqual([1, []]);
    await clock.advance(1);
    expect(questions).toBe(2);
    expect(logger.at("error")).toHaveLength(1);
  });

  test("with anything but its absence keeps its connection, too", async () => {
    await read({
      state: () => Promise.reject(new PartnerdError("nats_denied", "denied")),
      ping: () => Promise.reject(UNAVAILABLE),
      close,
    });
    expect(closes).toEqual([]);
  });
});

test("a fault of the program is logged as one, once", async () => {
  await read({ state: () => Promise.reject(new TypeError("a bug")) });
  await clock.advance(3_000);
  expect(logger.lines.filter(({ message }) => message === "internal error")).toMatchObject([
    { fields: { part: "ingest", error: "a bug" } },
  ]);
  expect(logger.at("error").length).toBeLessThanOrEqual(1);
});

describe("another daemon with our identity", () => {
  test("that takes the consumer is recorded once, and may keep it for ten seconds if it reads", async () => {
    let owner = OWNER;
    await read({ consumer: async () => ({ ...ELSEWHERE, owner, waitingRequests: 1 }) });
    owner = CLONE;
    broker.status(1, { kind: "consumer_deleted" });
    await clock.advance(2_000);
    expect([reader.reading, reader.problem?.code, reader.impairment?.code]).toEqual([
      false,
      "identity_cloned",
      "identity_cloned",
    ]);
    expect(appended).toEqual(["consumer"]);
    await clock.advance(10_000);
    expect([reader.reading, starts]).toEqual([true, [6, 6]]);
    expect(appended).toEqual(["consumer"]);
  });

  test("that no longer reads loses the consumer at once; what it skipped is then asked for", async () => {
    let owner = OWNER;
    const asked: number[] = [];
    await read({
      consumer: async () => ({ ...ELSEWHERE, owner, waitingRequests: 0 }),
      firstHeld: async (sequence) => {
        asked.push(sequence);
        return sequence;
      },
    });
    owner = CLONE;
    broker.status(1, { kind: "consumer_deleted" });
    await clock.advance(250);
    expect([reader.reading, starts]).toEqual([true, [6, 6]]);
    owner = OWNER;
    broker.message({ subject: "s", data: new Uint8Array(), reply: "$JS.ACK.S.C.1.8.1.1000.0" });
    await clock.advance(0);
    expect(asked).toEqual([6]);
  });
});

test("why a stream delivers nothing is logged when it changes, and is forgotten once it delivers", async () => {
  let consumer: ConsumerState = { ...IN_PLACE };
  await read({ consumer: async () => consumer });
  const errors = () => logger.at("error").map(({ fields }) => (fields as { code: string }).code);
  await clock.advance(4_000);
  expect(errors()).toEqual([]);
  consumer = { ...IN_PLACE, isPaused: true };
  await clock.advance(12_000);
  expect([errors(), reader.impairment?.code]).toEqual([["consumer_paused"], "consumer_paused"]);
  consumer = { ...IN_PLACE };
  await clock.advance(4_000);
  expect(reader.impairment).toBeNull();
  consumer = { ...IN_PLACE, isPaused: true };
  await clock.advance(4_000);
  expect(errors()).toEqual(["consumer_paused", "consumer_paused"]);
});
