/**
 * (e) Acknowledging: how fast a bare pull consumer reads a stream with each way of acknowledging. All give the same guarantee: an
 * acknowledged message was received. The consumer stores nothing, so this measures the cost that the broker adds.
 */
import { AckPolicy, connect, type NatsConnection } from "nats";
import { systemClock } from "../src/base/clock.ts";
import type { BrokerMessage } from "../src/ingest/broker/broker-port.ts";
import { Pull } from "../src/ingest/stream/pull.ts";
import { natsLink } from "../src/nats/nats-link.ts";
import { consumerConfig } from "../src/nats/setup/consumer-config.ts";
import { setUp } from "../src/nats/setup/setup.ts";
import { publishEvents } from "./events.ts";
import { ratio, type Summary, summarize } from "./statistics.ts";

const STREAM = "BENCH_ACKNOWLEDGE";
const CONSUMER = "bench";
/** The daemon's own values. */
const SUBJECTS = ["CREATE_RESOURCE", "REMOVE_RESOURCE"];
const BATCH = 64;
const WINDOW = 1_024;

const ACKNOWLEDGEMENT = "+ACK";
const CONFIRM_TIMEOUT_MS = 10_000;

interface Scheme {
  readonly policy: AckPolicy;
  /** Acknowledges a batch. If it returns a promise, the next batch waits for that. */
  readonly acknowledge: (client: NatsConnection, batch: readonly BrokerMessage[]) => Promise<unknown> | undefined;
}

const confirmed = (client: NatsConnection, { reply = "" }: BrokerMessage) =>
  client.request(reply, ACKNOWLEDGEMENT, { timeout: CONFIRM_TIMEOUT_MS });
const told = (client: NatsConnection, { reply = "" }: BrokerMessage) => client.publish(reply, ACKNOWLEDGEMENT);

const SCHEMES = {
  each: {
    policy: AckPolicy.Explicit,
    acknowledge: (client, batch) => {
      for (const message of batch) told(client, message);
      return undefined;
    },
  },
  eachConfirmed: {
    policy: AckPolicy.Explicit,
    acknowledge: (client, batch) => Promise.all(batch.map((message) => confirmed(client, message))),
  },
  all: {
    policy: AckPolicy.All,
    acknowledge: (client, batch) => {
      for (const newest of batch.slice(-1)) told(client, newest);
      return undefined;
    },
  },
  allConfirmed: {
    policy: AckPolicy.All,
    acknowledge: (client, batch) => Promise.all(batch.slice(-1).map((newest) => confirmed(client, newest))),
  },
  none: { policy: AckPolicy.None, acknowledge: () => undefined },
} as const satisfies Readonly<Record<string, Scheme>>;

export type SchemeName = keyof typeof SCHEMES;
export const SCHEME_NAMES = Object.keys(SCHEMES) as readonly SchemeName[];

interface AcknowledgeOptions {
  readonly natsUrl: string;
  readonly events: number;
  /** Number of measured rounds, in rotating order, after one warm-up round. */
  readonly rounds: number;
}

interface Reading {
  readonly time: Summary;
  readonly eventsPerSecond: number;
  /** Ratio of the medians to acknowledging each message. */
  readonly factor: number;
}

export interface AcknowledgeResult {
  readonly benchmark: "acknowledge";
  readonly events: number;
  readonly batch: number;
  /** Mean size of a message on the stream's disk. */
  readonly storedBytes: number;
  readonly schemes: Readonly<Record<SchemeName, Reading>>;
}

/** The server must not have a stream with the daemon's subjects. */
export async function measureAcknowledge({ natsUrl, events, rounds }: AcknowledgeOptions): Promise<AcknowledgeResult> {
  const client = await connect({ servers: natsUrl });
  try {
    await setUp(client, { stream: STREAM, consumer: CONSUMER, subjects: SUBJECTS, limits: {} });
    await publishEvents(client, events);
    const { state } = await (await client.jetstreamManager()).streams.info(STREAM);
    const times = Object.fromEntries(SCHEME_NAMES.map((name) => [name, [] as number[]])) as Record<SchemeName, number[]>;
    for (let round = 0; round <= rounds; round++) {
      for (let turn = 0; turn < SCHEME_NAMES.length; turn++) {
        const name = SCHEME_NAMES[(round + turn) % SCHEME_NAMES.length] ?? "none";
        const tookMs = await consume(natsUrl, events, SCHEMES[name]);
        if (round > 0) times[name].push(tookMs);
      }
    }
    const eachMs = summarize(times.each).p50Ms;
    const reading = (samples: readonly number[]): Reading => {
      const time = summarize(samples);
      return { time, eventsPerSecond: Math.round((events / time.p50Ms) * 1_000), factor: ratio(eachMs, time.p50Ms) };
    };
    const schemes = Object.fromEntries(SCHEME_NAMES.map((name) => [name, reading(times[name])])) as Record<SchemeName, Reading>;
    return { benchmark: "acknowledge", events, batch: BATCH, storedBytes: Math.round(state.bytes / state.messages), schemes };
  } finally {
    await client.close();
  }
}

/** Milliseconds from the first request until every message has been received and the server counts all of them as acknowledged. */
async function consume(natsUrl: string, events: number, { policy, acknowledge }: Scheme): Promise<number> {
  const client = await connect({ servers: natsUrl });
  const { consumers } = await client.jetstreamManager();
  await consumers.delete(STREAM, CONSUMER);
  await consumers.add(STREAM, { ...consumerConfig(CONSUMER, 1), ack_policy: policy });
  const done = Promise.withResolvers<void>();
  const buffered: BrokerMessage[] = [];
  let left = events;
  let isTaking = false;
  const pullMore = () => {
    if (!pull.isPulling && buffered.length <= WINDOW / 2 && left > buffered.length) pull.request(WINDOW - buffered.length);
  };
  const take = async (): Promise<void> => {
    if (isTaking) return;
    isTaking = true;
    while (buffered.length >= BATCH || (buffered.length > 0 && buffered.length === left)) {
      const batch = buffered.splice(0, BATCH);
      await acknowledge(client, batch);
      left -= batch.length;
      pullMore();
    }
    isTaking = false;
    if (left === 0) done.resolve();
  };
  const startedMs = performance.now();
  using pull = new Pull({
    link: natsLink(client, { stream: STREAM, consumer: CONSUMER, subjects: [] }),
    clock: systemClock,
    onMessage: (message) => {
      buffered.push(message);
      take().catch(done.reject);
    },
    onRequestOver: pullMore,
    onEnded: (end) => done.reject(typeof end === "string" ? new Error(end) : end),
  });
  pull.request(WINDOW);
  try {
    await done.promise;
    await client.flush();
    while ((await consumers.info(STREAM, CONSUMER)).num_ack_pending > 0);
    return performance.now() - startedMs;
  } finally {
    await client.close();
  }
}
