/**
 * (d) Ingest: from the broker to the fsynced log, against the minimum for each half of the work: a bare consumer that acknowledges the
 * same way and stores nothing, and the same transactions with bare better-sqlite3, without decoding.
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
  /** Number of measured rounds, in rotating order, after one warm-up round. */
  readonly rounds: number;
}

/** Events per second at the median time. */
interface Reading {
  readonly time: Summary;
  readonly eventsPerSecond: number;
}

export interface IngestPath {
  readonly ingest: Reading;
  readonly sqlite: Reading;
  readonly consumer: Reading;
  /** Ratio of the median speed to that of the slower floor. */
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
  // The floor writes the rows of this first ingest, which is not measured.
  const written = join(directory, "ingested");
  mkdirSync(written);
  await ingestAll("jetstream", source, written);
  const works: Record<string, Work> = {
    fromStream: (path) => ingestAll("jetstream", source, path),
    sqlite: (path) => insertAll(written, path),
    pulled: () => pullAll(source),
  };
  const first = await inTurns(works, directory, rounds);
  // Messages published for core NATS must not be stored in the stream too.
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

/** Runs each work once per round, in rotating order; returns the ms of each, excluding the first round. */
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
