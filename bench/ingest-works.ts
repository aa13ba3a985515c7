/** The work that the ingest benchmark times: the daemon's path from the broker to the disk, and the bare minimum of its two halves. */
import { join } from "node:path";
import Database from "better-sqlite3";
import { connect, type NatsConnection } from "nats";
import { systemClock, systemRandom } from "../src/base/clock.ts";
import { silentLogger } from "../src/base/log.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY } from "../src/events/vocabulary.ts";
import { Ingest } from "../src/ingest/ingest.ts";
import { IngestBuffer } from "../src/ingest/ingest-buffer.ts";
import { Pull } from "../src/ingest/stream/pull.ts";
import { PersistentConnection } from "../src/nats/connection/connection.ts";
import { parseNatsUrl } from "../src/nats/connection/server-address.ts";
import { EventSource } from "../src/nats/event-source.ts";
import { natsLink } from "../src/nats/nats-link.ts";
import { setUp } from "../src/nats/setup/setup.ts";
import { openDatabase } from "../src/store/sql/open.ts";
import { openStore } from "../src/store/store.ts";
import { eventMessage } from "./events.ts";
import { rest } from "./rest.ts";

const BATCH = 64;
const WINDOW = 1_024;
export const SUBJECTS = ["CREATE_RESOURCE", "REMOVE_RESOURCE"];

export interface Source {
  readonly url: string;
  readonly stream: string;
  readonly events: number;
}

/** Runs the daemon's ingest without libp2p; resolves to the ms from connecting to the last commit. With core NATS it also publishes. */
export async function ingestAll(from: "jetstream" | "core", { url, stream, events }: Source, path: string): Promise<number> {
  using store = openStore({ directory: path, clock: systemClock });
  const done = Promise.withResolvers<void>();
  let received = 0;
  const ingest = new Ingest({
    vocabulary: DEFAULT_VOCABULARY,
    limits: DEFAULT_LIMITS,
    log: store,
    clock: systemClock,
    wake: () => {},
    logger: silentLogger,
    observer: {
      received: () => {
        received += 1;
        if (received === events) done.resolve();
      },
      appendFailed: done.reject,
    },
  });
  using buffer = new IngestBuffer({
    clock: systemClock,
    onBatch: (batch) => ingest.take(batch),
    onOverflow: () => done.reject(new Error("the ingest buffer overflowed; publish more slowly")),
  });
  await using connection = new PersistentConnection(
    { servers: parseNatsUrl(url).servers, name: "bench" },
    { clock: systemClock, random: systemRandom, logger: silentLogger },
  );
  const startedMs = performance.now();
  using source = new EventSource({
    mode: from,
    stream,
    consumer: "bench",
    subjects: SUBJECTS,
    owner: { peerId: "bench", run: "bench" },
    connection,
    buffer,
    log: store,
    clock: systemClock,
    logger: silentLogger,
  });
  if (from === "jetstream") {
    await done.promise;
    return performance.now() - startedMs;
  }
  while (!source.facts().reading) await rest(1);
  return await published(url, events, () => received, done.promise);
}

/** Inserts the rows of an earlier ingest, in `source`, in the same batches, without decoding, lookups, folding or hashing. */
export function insertAll(source: string, path: string): Promise<number> {
  const from = new Database(join(source, "oc-partnerd.db"), { readonly: true });
  const columns = from.prepare<[], string>("select name from pragma_table_info('event_log')").pluck().all();
  const rows = from.prepare<[], unknown[]>("select * from event_log where payload is not null order by seq").raw().all();
  from.close();
  const seq = columns.indexOf("seq");
  const writes = rows.map((row, index) => {
    const event = row.with(seq, index + 1);
    const changed = row[columns.indexOf("effect")] === "changed";
    return { event, peer: changed ? PEER_COLUMNS.map(([, column]) => event[columns.indexOf(column)]) : null };
  });
  const database = openDatabase(path);
  const insert = database.prepare(`insert into event_log (${columns.join(", ")}) values (${columns.map(() => "?").join(", ")})`);
  const names = PEER_COLUMNS.map(([name]) => name);
  const upsertPeer = database.prepare(
    `insert into desired_peer (${names.join(", ")}) values (${names.map(() => "?").join(", ")}) ` +
      `on conflict (peer_id) do update set ${names.map((name) => `${name} = excluded.${name}`).join(", ")}`,
  );
  const moveCursor = database.prepare("insert or replace into ingest_cursor values (1, 'S', 'T', 1, ?, null, 'C')");
  const commit = database.transaction((first: number) => {
    for (const { event, peer } of writes.slice(first, first + BATCH)) {
      insert.run(event);
      if (peer !== null) upsertPeer.run(peer);
    }
    moveCursor.run(first);
  });
  const startedMs = performance.now();
  for (let index = 0; index < rows.length; index += BATCH) commit.immediate(index);
  const tookMs = performance.now() - startedMs;
  database.close();
  return Promise.resolve(tookMs);
}

/** Each column of `desired_peer` and the column of `event_log` that fills it. */
const PEER_COLUMNS = [
  ["peer_id", "peer_id"],
  ["resource_id", "resource_id"],
  ["did", "did"],
  ["name", "name"],
  ["relation", "relation"],
  ["standing", "standing"],
  ["address", "address"],
  ["desired_seq", "seq"],
  ["generation", "seq"],
  ["since_ms", "at_ms"],
  ["standing_seq", "seq"],
  ["standing_since_ms", "at_ms"],
] as const;

/** Pulls and acknowledges like the daemon, without storing anything. */
export async function pullAll({ url, stream, events }: Source): Promise<number> {
  const client = await connect({ servers: url });
  const consumer = "bench-floor";
  await setUp(client, { stream, consumer, subjects: SUBJECTS, limits: {} });
  const done = Promise.withResolvers<void>();
  let received = 0;
  const startedMs = performance.now();
  using pull = new Pull({
    link: natsLink(client, { stream, consumer, subjects: [] }),
    clock: systemClock,
    onMessage: (message) => {
      received += 1;
      if (received % BATCH === 0 || received === events) client.publish(message.reply ?? "", "+ACK");
      if (received === events) done.resolve();
    },
    onRequestOver: () => pull.request(WINDOW),
    onEnded: (end) => done.reject(end instanceof Error ? end : new Error(end.reason)),
  });
  pull.request(WINDOW);
  await done.promise;
  const tookMs = performance.now() - startedMs;
  await (await client.jetstreamManager()).consumers.delete(stream, consumer);
  await client.close();
  return tookMs;
}

/** Subscribes like the daemon, without storing anything. */
export async function hearAll({ url, events }: Source): Promise<number> {
  const client = await connect({ servers: url });
  const done = Promise.withResolvers<void>();
  let received = 0;
  for (const subject of SUBJECTS) {
    client.subscribe(subject, {
      callback: () => {
        received += 1;
        if (received === events) done.resolve();
      },
    });
  }
  await client.flush();
  const tookMs = await published(url, events, () => received, done.promise);
  await client.close();
  return tookMs;
}

/** Limits how far the publisher is ahead, so that no buffer overflows. */
const MOST_AHEAD = 8_192;
const AT_ONCE = 256;

/** Publishes on a separate connection and resolves to the ms until `done`. */
async function published(url: string, events: number, received: () => number, done: Promise<void>): Promise<number> {
  const client: NatsConnection = await connect({ servers: url });
  const startedMs = performance.now();
  for (let sent = 0; sent < events; ) {
    const until = Math.min(events, sent + AT_ONCE);
    for (; sent < until; sent++) client.publish("CREATE_RESOURCE", eventMessage(sent));
    await client.flush();
    while (sent - received() > MOST_AHEAD) await rest(1);
  }
  await done;
  const tookMs = performance.now() - startedMs;
  await client.close();
  return tookMs;
}
