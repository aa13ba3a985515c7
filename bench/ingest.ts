/**
 * (d) Ingest: from the broker to the fsynced log, against the two halves that any ingest must at least do: a bare consumer that
 * acknowledges the same way and keeps nothing, and the same transactions into bare better-sqlite3, without decoding.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { connect } from "nats";
import { setUp } from "../src/nats/setup/setup.ts";
import { publishEvents } from "./events.ts";
import { hearAll, ingestAll, insertAll, pullAll, SUBJECTS } from "./ingest-works.ts";
import { ratio, type Summary, summarize } from "./statistics.ts";

const TARGET_SHARE = 0.6;
const STREAM = "BENCH_INGEST";

interface IngestOptions {
  readonly natsUrl: string;
  readonly directory: string;
  readonly events: number;
  /** How often each is measured, in rotating order. One more round comes first and does not count. */
  readonly rounds: number;
}

/** Events per second are those of the median. */
interface Reading {
  readonly time: Summary;
  readonly eventsPerSecond: number;
}

export interface IngestPath {
  readonly ingest: Reading;
  readonly sqlite: Reading;
  readonly consumer: Reading;
  /** Of the medians' speeds, to the slower floor. */
  readonly share: number;
}

export interface IngestResult {
  readonly benchmark: "ingest";
  readonly events: number;
  readonly jetstream: IngestPath;
  readonly core: IngestPath;
  readonly target: { readonly share: number; readonly measured: number; readonly met: boolean };
}

type Work = (path: string) => Promise<number>;

export async function measureIngest({ natsUrl, directory, events, rounds }: IngestOptions): Promise<IngestResult> {
  const source = { url: natsUrl, stream: STREAM, events };
  const client = await connect({ servers: natsUrl });
  await setUp(client, { stream: STREAM, consumer: "bench", subjects: SUBJECTS, limits: {} });
  await publishEvents(client, events);
  // What the floor writes is what a first ingest wrote, which does not count.
  const written = join(directory, "ingested");
  mkdirSync(written);
  await ingestAll("jetstream", source, written);
  const works: Record<string, Work> = {
    fromStream: (path) => ingestAll("jetstream", source, path),
    sqlite: (path) => insertAll(written, path),
    pulled: () => pullAll(source),
  };
  const first = await inTurns(works, directory, rounds);
  // What is published for core NATS must not go into the stream as well.
  await (await client.jetstreamManager()).streams.delete(STREAM);
  await client.close();
  const coreWorks: Record<string, Work> = {
    fromCore: (path) => ingestAll("core", source, path),
    sqlite: (path) => insertAll(written, path),
    heard: () => hearAll(source),
  };
  const second = await inTurns(coreWorks, directory, rounds);
  const jetstream = pathOf(events, first["fromStream"], first["sqlite"], first["pulled"]);
  const core = pathOf(events, second["fromCore"], second["sqlite"], second["heard"]);
  const measured = Math.min(jetstream.share, core.share);
  return {
    benchmark: "ingest",
    events,
    jetstream,
    core,
    target: { share: TARGET_SHARE, measured, met: measured >= TARGET_SHARE },
  };
}

/** Each work once a round, in an order that rotates; the milliseconds of each but the first. */
async function inTurns(works: Record<string, Work>, directory: string, rounds: number): Promise<Record<string, number[]>> {
  const names = Object.keys(works);
  const times: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(round + turn) % names.length] ?? "";
      const path = mkdtempSync(join(directory, "round-"));
      const tookMs = (await works[name]?.(path)) ?? 0;
      rmSync(path, { recursive: true });
      if (round > 0) times[name]?.push(tookMs);
    }
  }
  return times;
}

function pathOf(events: number, ...[ingested = [], inserted = [], consumed = []]: (number[] | undefined)[]): IngestPath {
  const reading = (samples: readonly number[]): Reading => {
    const time = summarize(samples);
    return { time, eventsPerSecond: Math.round((events / time.p50Ms) * 1_000) };
  };
  const [ingest, sqlite, consumer] = [reading(ingested), reading(inserted), reading(consumed)];
  return { ingest, sqlite, consumer, share: ratio(Math.max(sqlite.time.p50Ms, consumer.time.p50Ms), ingest.time.p50Ms) };
}
