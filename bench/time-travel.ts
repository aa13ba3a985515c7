/**
 * (g) Asking a long log about the past: what every peer was at a time, what one was, and one partner's uptime for a month, each against
 * a plain read of the same peers' rows. Indexes answer all of it; a replay to the same time is shown beside.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Database } from "better-sqlite3";
import type { Random } from "../src/base/clock.ts";
import type { PeerId } from "../src/base/ids.ts";
import { seededRandom } from "../src/sim/time/random.ts";
import { VirtualClock } from "../src/sim/time/virtual-clock.ts";
import { seqAt } from "../src/store/past/moment.ts";
import { peerAsOf, peersAsOf } from "../src/store/past/peers-as-of.ts";
import { openStore } from "../src/store/store.ts";
import { ratio, type Summary, summarize } from "./statistics.ts";

const SEED = 1;
const DAY_MS = 86_400_000;
const DAYS = 60;

/** Wall times in ms that a query must not exceed. */
const TARGETS_MS = { onePeer: 10, allPeers: 250, month: 50 } as const;

interface TimeTravelOptions {
  readonly directory: string;
  readonly peers: number;
  readonly events: number;
  /** How often each is measured, each time about another time or peer. One more round comes first and does not count. */
  readonly rounds: number;
}

interface Question {
  readonly what: string;
  readonly time: Summary;
  readonly floor: Summary;
  /** Of the medians. */
  readonly ratio: number;
  readonly targetMs: number;
}

export interface TimeTravelResult {
  readonly benchmark: "time-travel";
  readonly events: number;
  readonly peers: number;
  readonly questions: readonly Question[];
}

const AS_OF = "valid_from_seq <= :seq and (valid_to_seq is null or valid_to_seq > :seq)";
const PEER = "peer_id = :peerId";
const STANDING = "select peer_id, name, standing, relation, address from standing_periods where";
const OPEN = "select peer_id, direction, valid_from_at from session_periods where";
const DOWN = "select peer_id, began, failures, valid_from_at from outage_periods where";

/** The time, row and peer of a question; others in each round. */
interface Place {
  readonly ms: number;
  readonly seq: number;
  readonly peerId: PeerId;
}

const QUESTIONS = [
  {
    what: "the row in force at a time",
    query: "select seq from events where at_ms <= :ms order by at_ms desc, seq desc limit 1",
    floor: "select * from event_log where seq = :seq",
    targetMs: TARGETS_MS.onePeer,
  },
  {
    what: "one peer's standing as of then",
    query: `${STANDING} ${PEER} and ${AS_OF}`,
    floor: `select * from desired_peer where ${PEER}`,
    targetMs: TARGETS_MS.onePeer,
  },
  {
    what: "one peer's open streams as of then",
    query: `${OPEN} ${PEER} and ${AS_OF}`,
    floor: `select seq, at_ms from event_log where type = 'StreamOpened' and ${PEER}`,
    targetMs: TARGETS_MS.onePeer,
  },
  {
    what: "one partner's outage as of then",
    query: `${DOWN} ${PEER} and ${AS_OF}`,
    floor: `select seq, at_ms from event_log where type in ('StreamOpened', 'StreamClosed', 'OpenFailed') and ${PEER}`,
    targetMs: TARGETS_MS.onePeer,
  },
  {
    what: "one peer by --as-of: standing, streams, outage",
    query: (database: Database, { seq, peerId }: Place) => peerAsOf(database, seq, peerId),
    floor: `select * from desired_peer where ${PEER}`,
    targetMs: TARGETS_MS.onePeer,
  },
  {
    what: "all peers' standing as of then",
    query: `${STANDING} ${AS_OF}`,
    floor: "select * from desired_peer",
    targetMs: TARGETS_MS.allPeers,
  },
  {
    what: "all peers by --as-of: standing, streams, outages",
    query: (database: Database, { seq }: Place) => peersAsOf(database, seq),
    floor: "select * from desired_peer",
    targetMs: TARGETS_MS.allPeers,
  },
  {
    what: "one partner's uptime for a month, by day",
    query: `select * from uptime_daily where ${PEER} and day >= date(:ms / 1000, 'unixepoch') and day < date(:ms / 1000, 'unixepoch', '+30 days')`,
    floor: `select seq, at_ms from event_log where type in ('StreamOpened', 'StreamClosed') and ${PEER}`,
    targetMs: TARGETS_MS.month,
  },
] as const;

export function measureTimeTravel(options: TimeTravelOptions): TimeTravelResult {
  const { peers, rounds } = options;
  using log = longLog(options);
  const random = seededRandom(SEED);
  const questions = QUESTIONS.map(({ what, query, floor, targetMs }): Question => {
    const samples = { query: [] as number[], floor: [] as number[] };
    const ask = {
      query: typeof query === "string" ? statementOf(log.database, query) : query,
      floor: statementOf(log.database, floor),
    };
    for (let round = 0; round <= rounds; round++) {
      const ms = log.startMs + Math.floor(random.next() * (DAYS - 30)) * DAY_MS + Math.floor(random.next() * DAY_MS);
      const seq = seqAt(log.database, ms);
      if (seq === undefined) throw new Error("no row is that old");
      const place = { ms, seq, peerId: peerIdOf(Math.floor(random.next() * peers)) };
      samples.floor.push(timeOf(() => ask.floor(log.database, place)));
      samples.query.push(timeOf(() => ask.query(log.database, place)));
    }
    const [time, floorTime] = [summarize(samples.query.slice(1)), summarize(samples.floor.slice(1))];
    return { what, time, floor: floorTime, ratio: ratio(time.p50Ms, floorTime.p50Ms), targetMs };
  });
  return { benchmark: "time-travel", events: log.events, peers, questions };
}

function statementOf(database: Database, sql: string): (database: Database, place: Place) => unknown {
  const statement = database.prepare(sql);
  return (_, place) => statement.all(place);
}

function timeOf(work: () => unknown): number {
  const startedMs = performance.now();
  work();
  return performance.now() - startedMs;
}

/** Sixty days of partners that come, flap, move and go. Inserted row by row into the daemon's schema; no hash is computed. */
function longLog({ directory, peers, events }: TimeTravelOptions) {
  const data = mkdtempSync(join(directory, "time-travel-"));
  let database: Database | undefined;
  const store = openStore({
    directory: data,
    clock: new VirtualClock(),
    onOpen: (opened) => {
      database = opened;
    },
  });
  if (database === undefined) throw new Error("the store opened no database");
  const startMs = Date.parse("2026-01-01T00:00:00Z");
  const rows = fill(database, { peers, events, startMs, random: seededRandom(SEED) });
  return {
    database,
    startMs,
    events: rows,
    [Symbol.dispose]() {
      store[Symbol.dispose]();
      rmSync(data, { recursive: true, force: true });
    },
  };
}

interface Story {
  readonly peers: number;
  readonly events: number;
  readonly startMs: number;
  readonly random: Random;
}

function fill(database: Database, { peers, events, startMs, random }: Story): number {
  const insert = database.prepare(
    `insert into event_log (seq, type, peer_id, at_ms, source, effect, generation, relation, standing, address, protocol, direction,
      reason, duration_ms, duration_clock, opened_seq, cause_seq, chain_hash)
    values (:seq, :type, :peerId, :atMs, 'oc-api', :effect, :generation, :relation, :standing, :address, :protocol, :direction,
      :reason, :durationMs, :durationClock, :openedSeq, :causeSeq, '')`,
  );
  const insertPeer = database.prepare(
    `insert or replace into desired_peer values (:peerId, null, null, :name, :relation, :standing, :address, :seq, :seq, :atMs, :seq, :atMs)`,
  );
  const open = new Map<number, { seq: number; atMs: number }>();
  const generation = new Map<number, { seq: number; standing: string }>();
  const none = { effect: null, generation: null, relation: null, standing: null, address: null, protocol: null, direction: null };
  const empty = { ...none, reason: null, durationMs: null, durationClock: null, openedSeq: null, causeSeq: null };
  let seq = 0;
  const write = database.transaction(() => {
    while (seq < events) {
      seq += 1;
      const peer = seq <= peers ? seq - 1 : Math.floor(random.next() * peers);
      const peerId = peerIdOf(peer);
      const atMs = startMs + Math.floor((seq / events) * DAYS * DAY_MS);
      const desired = generation.get(peer);
      const stream = open.get(peer);
      const place = { ...empty, seq, peerId, atMs, protocol: "/p/1.0", direction: "outbound" };
      if (desired === undefined || (stream === undefined && random.next() < 0.03)) {
        const standing = desired?.standing === "partner" && random.next() < 0.5 ? "revoked" : "partner";
        const relation = standing === "partner" ? "PARTNER" : "NONE";
        const address = `/ip4/10.0.0.1/tcp/${4_000 + (seq % 1_000)}/p2p/${peerId}`;
        insert.run({
          ...empty,
          seq,
          type: "PeerDesired",
          peerId,
          atMs,
          effect: "changed",
          generation: seq,
          relation,
          standing,
          address,
        });
        insertPeer.run({ peerId, name: `peer-${peer}`, relation, standing, address, seq, atMs });
        generation.set(peer, { seq, standing });
      } else if (stream !== undefined) {
        const ended = { reason: "expired", durationMs: atMs - stream.atMs, durationClock: "monotonic", openedSeq: stream.seq };
        insert.run({ ...place, type: "StreamClosed", ...ended, causeSeq: desired.seq });
        open.delete(peer);
      } else if (desired.standing === "partner" && random.next() < 0.8) {
        insert.run({ ...place, type: "StreamOpened", causeSeq: desired.seq, durationMs: 40, durationClock: "monotonic" });
        open.set(peer, { seq, atMs });
      } else insert.run({ ...place, type: "OpenFailed", reason: "timeout", causeSeq: desired.seq, durationMs: 5_000 });
    }
  });
  write();
  return seq;
}

/** As long as a PeerID is. */
function peerIdOf(peer: number): PeerId {
  return `12D3KooW${String(peer).padStart(44, "x")}` as PeerId;
}
