/**
 * (d) Ingest: from the broker to the fsynced log, against the two halves that any ingest must at least do: a bare consumer that
 * acknowledges the same way and keeps nothing, and the same transactions into bare better-sqlite3, without decoding.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { connect, type NatsConnection } from "nats";
import { systemClock, systemRandom } from "../src/clock.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY } from "../src/events/vocabulary.ts";
import { silentLogger } from "../src/log.ts";
import { PersistentConnection } from "../src/nats/connection.ts";
import { BatchDelivery } from "../src/nats/delivery.ts";
import { EventSource } from "../src/nats/event-source.ts";
import { Ingest } from "../src/nats/ingest.ts";
import { Pull } from "../src/nats/pull.ts";
import { setUp } from "../src/nats/setup.ts";
import { openDatabase } from "../src/store/open.ts";
import { openStore } from "../src/store/store.ts";
import { publishEvents } from "./events.ts";
import { ratio, type Summary, summarize } from "./statistics.ts";

const TARGET_SHARE = 0.6;
const BATCH = 64;
const WINDOW = 1_024;
const SUBJECTS = ["CREATE_RESOURCE", "REMOVE_RESOURCE"];

interface IngestOptions {
  readonly natsUrl: string;
  readonly directory: string;
  readonly events: number;
  /** How often each is measured, in rotating order. One more round comes first and does not count. */
  readonly rounds: number;
}

interface Reading {
  readonly time: Summary;
  readonly eventsPerSecond: number;
}

export interface IngestResult {
  readonly benchmark: "ingest";
  readonly events: number;
  readonly ingest: Reading;
  readonly sqlite: Reading;
  readonly consumer: Reading;
  /** Of the medians, to the slower floor. */
  readonly share: number;
  readonly target: { readonly share: number; readonly met: boolean };
}

export async function measureIngest(options: IngestOptions): Promise<IngestResult> {
  const { natsUrl, directory, events, rounds } = options;
  const client = await connect({ servers: natsUrl });
  try {
    const stream = await filledStream(client, events);
    const works = {
      ingest: (path: string) => ingestAll(natsUrl, stream, path, events),
      sqlite: (path: string) => insertAll(join(directory, "rows"), path),
      consumer: () => consumeAll(natsUrl, stream, events),
    };
    // The rows of the floor are those of a first ingest, which does not count.
    await works.ingest(join(directory, "rows"));
    const names = ["ingest", "sqlite", "consumer"] as const;
    const times: Record<(typeof names)[number], number[]> = { ingest: [], sqlite: [], consumer: [] };
    for (let round = 0; round <= rounds; round++) {
      for (let turn = 0; turn < names.length; turn++) {
        const name = names[(round + turn) % names.length] ?? "ingest";
        const path = mkdtempSync(join(directory, "round-"));
        const tookMs = await works[name](path);
        rmSync(path, { recursive: true });
        if (round > 0) times[name].push(tookMs);
      }
    }
    const reading = (samples: readonly number[]): Reading => {
      const time = summarize(samples);
      return { time, eventsPerSecond: Math.round((events / time.p50Ms) * 1_000) };
    };
    const [ingest, sqlite, consumer] = [reading(times.ingest), reading(times.sqlite), reading(times.consumer)];
    const slower = Math.max(sqlite.time.p50Ms, consumer.time.p50Ms);
    const share = ratio(slower, ingest.time.p50Ms);
    return {
      benchmark: "ingest",
      events,
      ingest,
      sqlite,
      consumer,
      share,
      target: { share: TARGET_SHARE, met: share >= TARGET_SHARE },
    };
  } finally {
    await client.close();
  }
}

/** Resolves to its name. */
async function filledStream(client: NatsConnection, events: number): Promise<string> {
  const stream = "BENCH_INGEST";
  await setUp(client, { stream, consumer: "bench", subjects: SUBJECTS, limits: {} });
  await publishEvents(client, events);
  return stream;
}

/** The daemon's own way, all of it but libp2p. Resolves to the milliseconds from the first request to the last commit. */
async function ingestAll(url: string, stream: string, path: string, events: number): Promise<number> {
  using store = openStore({ directory: path, clock: systemClock });
  const done = Promise.withResolvers<void>();
  let left = events;
  const ingest = new Ingest({
    vocabulary: DEFAULT_VOCABULARY,
    limits: DEFAULT_LIMITS,
    log: store,
    wake: () => {},
    logger: silentLogger,
    observer: {
      received: () => {
        left -= 1;
        if (left === 0) done.resolve();
      },
      appendFailed: done.reject,
    },
  });
  using delivery = new BatchDelivery({ clock: systemClock, onBatch: (batch) => ingest.take(batch), onOverflow: () => {} });
  await using connection = new PersistentConnection(
    { servers: [url], name: "bench" },
    { clock: systemClock, random: systemRandom, logger: silentLogger },
  );
  const startedMs = performance.now();
  using _source = new EventSource({
    mode: "jetstream",
    stream,
    consumer: "bench",
    subjects: SUBJECTS,
    connection,
    delivery,
    log: store,
    clock: systemClock,
    logger: silentLogger,
    onAppended: () => {},
  });
  await done.promise;
  return performance.now() - startedMs;
}

/**
 * What the ingest wrote, in the same batches: rows of the log, of the desired peers, of the cursor. All values are at hand; nothing is
 * decoded, looked up, folded or hashed.
 */
const PEER_COLUMNS = ["peer_id", "resource_id", "did", "name", "relation", "standing", "address", "seq", "seq", "at_ms"];

function insertAll(source: string, path: string): Promise<number> {
  const from = new Database(join(source, "oc-partnerd.db"), { readonly: true });
  const columns = from.prepare<[], string>("select name from pragma_table_info('event_log')").pluck().all();
  const rows = from.prepare<[], unknown[]>("select * from event_log where stream_sequence is not null order by seq").raw().all();
  from.close();
  const seq = columns.indexOf("seq");
  const writes = rows.map((row, index) => {
    const event = row.with(seq, index + 1);
    const changed = row[columns.indexOf("effect")] === "changed";
    return { event, peer: changed ? PEER_COLUMNS.map((column) => event[columns.indexOf(column)]) : null };
  });
  const database = openDatabase(path);
  const insert = database.prepare(`insert into event_log (${columns.join(", ")}) values (${columns.map(() => "?").join(", ")})`);
  const upsertPeer = database.prepare(
    "insert into desired_peer values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (peer_id) do update set did = excluded.did, " +
      "name = excluded.name, relation = excluded.relation, standing = excluded.standing, address = excluded.address, " +
      "desired_seq = excluded.desired_seq, generation = excluded.generation, since_ms = excluded.since_ms",
  );
  const moveCursor = database.prepare("insert or replace into ingest_cursor values (1, 'S', 'T', 1, ?, null, 'C')");
  const commit = database.transaction((from: number) => {
    for (const { event, peer } of writes.slice(from, from + BATCH)) {
      insert.run(event);
      if (peer !== null) upsertPeer.run(peer);
    }
    moveCursor.run(from);
  });
  const startedMs = performance.now();
  for (let index = 0; index < rows.length; index += BATCH) commit.immediate(index);
  const tookMs = performance.now() - startedMs;
  database.close();
  return Promise.resolve(tookMs);
}

async function consumeAll(url: string, stream: string, events: number): Promise<number> {
  const client = await connect({ servers: url });
  const manager = await client.jetstreamManager();
  await setUp(client, { stream, consumer: "bench-floor", subjects: SUBJECTS, limits: {} });
  const done = Promise.withResolvers<void>();
  let received = 0;
  const startedMs = performance.now();
  using pull = new Pull({
    client,
    stream,
    consumer: "bench-floor",
    clock: systemClock,
    onMessage: (message) => {
      received += 1;
      if (received % BATCH === 0 || received === events) client.publish(message.reply ?? "", "+ACK");
      if (received === events) done.resolve();
    },
    onRequestOver: () => pull.request(WINDOW),
    onEnded: (reason) => done.reject(new Error(reason)),
  });
  pull.request(WINDOW);
  await done.promise;
  const tookMs = performance.now() - startedMs;
  await manager.consumers.delete(stream, "bench-floor");
  await client.close();
  return tookMs;
}
