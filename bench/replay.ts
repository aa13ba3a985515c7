/**
 * (c) Replaying the log: folds the projections of a long log from zero and compares them with the tables row by row, against a bare
 * scan of the same columns, the minimum for any replay in JavaScript.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Database } from "better-sqlite3";
import { systemClock } from "../src/base/clock.ts";
import { seededRandom } from "../src/sim/time/random.ts";
import { VirtualClock } from "../src/sim/time/virtual-clock.ts";
import { openStore, type Store } from "../src/store/store.ts";
import { type Life, liveRandomStory } from "./random-story.ts";
import { ratio, type Summary, summarize } from "./statistics.ts";

const TARGET_EVENTS_PER_SECOND = 50_000;
const SEED = 1;

const SCAN =
  "select seq, type, peer_id, did, at_ms, cause_seq, opened_seq, effect, generation, superseded_peer_id, resource_id, name, relation, " +
  "standing, address, protocol, direction, reason, message, attempt, duration_ms, duration_clock, details, stream, stream_created, " +
  "stream_sequence, last_stream_sequence from event_log order by seq";

interface ReplayOptions {
  readonly directory: string;
  readonly partners: number;
  readonly events: number;
  /** Number of measured rounds, after one warm-up round. */
  readonly rounds: number;
}

/** Events per second at the median time. */
interface Reading {
  readonly time: Summary;
  readonly eventsPerSecond: number;
}

export interface ReplayResult {
  readonly benchmark: "replay";
  readonly events: number;
  readonly peers: number;
  /** Number of differences between the tables and the replay; anything but 0 is a bug. */
  readonly differences: number;
  readonly scan: Reading;
  readonly replay: Reading;
  /** The replay, plus reading the tables and comparing each row. */
  readonly verify: Reading;
  /** Ratios of the medians to the scan. */
  readonly ratios: { readonly replay: number; readonly verify: number };
  /** The target for verification, the slower of the two. */
  readonly target: { readonly eventsPerSecond: number; readonly measured: number; readonly met: boolean };
}

export function measureReplay(options: ReplayOptions): ReplayResult {
  using log = longLog(options);
  const { store, database } = log;
  const { seq: events } = store.head();
  const scan = database.prepare(SCAN);
  const works = {
    scan: () => drain(scan.iterate()),
    replay: () => void store.replayProjections(),
    verify: () => void store.verifyProjections(),
  };
  const samples: Record<keyof typeof works, number[]> = { scan: [], replay: [], verify: [] };
  for (let round = 0; round <= options.rounds; round++) {
    for (const what of ["scan", "replay", "verify"] as const) samples[what].push(timeOf(works[what]));
  }
  const reading = (samplesMs: readonly number[]): Reading => {
    const time = summarize(samplesMs.slice(1));
    return { time, eventsPerSecond: Math.round((events * 1_000) / time.p50Ms) };
  };
  const readings = { scan: reading(samples.scan), replay: reading(samples.replay), verify: reading(samples.verify) };
  const ratioOf = ({ time }: Reading) => ratio(time.p50Ms, readings.scan.time.p50Ms);
  const differences = store.verifyProjections().length;
  const measured = readings.verify.eventsPerSecond;
  return {
    benchmark: "replay",
    events,
    peers: store.list().length,
    differences,
    ...readings,
    ratios: { replay: ratioOf(readings.replay), verify: ratioOf(readings.verify) },
    target: {
      eventsPerSecond: TARGET_EVENTS_PER_SECOND,
      measured,
      met: differences === 0 && measured >= TARGET_EVENTS_PER_SECOND,
    },
  };
}

function timeOf(work: () => void): number {
  const startMs = systemClock.monotonicMs();
  work();
  return systemClock.monotonicMs() - startMs;
}

function drain(rows: Iterable<unknown>): void {
  for (const row of rows) void row;
}

interface LongLog extends Disposable {
  readonly store: Store;
  readonly database: Database;
}

/** Writes a long log through a store, with restarts. Fsync is disabled during this, as only reading is measured. */
function longLog({ directory, partners, events }: ReplayOptions): LongLog {
  const data = mkdtempSync(join(directory, "log-"));
  const clock = new VirtualClock();
  const open = (): Pick<LongLog, "store" | "database"> => {
    const opened: Database[] = [];
    const store = openStore({ directory: data, clock, onOpen: (database) => opened.push(database) });
    const [database] = opened;
    if (database === undefined) throw new Error("the store did not expose its database");
    database.pragma("synchronous = OFF");
    return { store, database };
  };
  let current = open();
  const life: Life = {
    clock,
    get store() {
      return current.store;
    },
    reopen() {
      current.store[Symbol.dispose]();
      current = open();
    },
  };
  liveRandomStory(life, seededRandom(SEED), { partners, events });
  const { store, database } = current;
  return {
    store,
    database,
    [Symbol.dispose]: () => {
      store[Symbol.dispose]();
      rmSync(data, { recursive: true, force: true });
    },
  };
}
