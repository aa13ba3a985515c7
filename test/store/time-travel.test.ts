/** The past by the views and by `--as-of` is that of a replay, on logs with restarts, archives and clock jumps. */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import type { Database } from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PeerId } from "../../src/base/ids.ts";
import { seededRandom } from "../../src/sim/time/random.ts";
import { openLogReader } from "../../src/store/log-reader.ts";
import { archiveBefore } from "./support/archiving.ts";
import { type Down, type PastPeer, type PastRow, replayedPast } from "./support/replayed-past.ts";
import { rawConnection } from "./support/temporary-store.ts";
import { TimeTravelWorld } from "./support/time-travel-world.ts";

const DAY_MS = 86_400_000;
const MOMENTS = 100;

const iso = (ms: number) => new Date(ms).toISOString();

interface World extends Disposable {
  readonly directory: string;
  readonly path: string;
  readonly past: readonly PastRow[];
  /** The last archived row; 0 if there is no archive. */
  readonly archived: number;
  readonly nowMs: number;
  readonly random: () => number;
}

const seeds = fc.integer({ min: 1, max: 1_000_000 });
const archives = fc.option(fc.double({ min: 0.1, max: 0.9, noNaN: true }));

async function worldOf(seed: number, archiveAt: number | null, clockJumps = true): Promise<World> {
  const world = new TimeTravelWorld(seed, clockJumps).run(300).close();
  const whole = join(world.directory, "whole.db");
  copyFileSync(world.path, whole);
  const rows = replayedPast(whole);
  const archived = archiveAt === null ? 0 : Math.max(1, Math.floor((rows.length - 1) * archiveAt));
  const random = seededRandom(seed);
  const common = { directory: world.directory, path: world.path, archived, nowMs: world.nowMs, random: () => random.next() };
  const dispose = () => world[Symbol.dispose]();
  if (archived === 0) return { ...common, past: rows, [Symbol.dispose]: dispose };
  await archiveBefore(world.directory, archived + 1, { wallMs: () => world.nowMs });
  // The archive adds a row of its own.
  const recorded = { seq: rows.length, atMs: world.nowMs, peers: rows.at(-1)?.peers ?? new Map<PeerId, never>() };
  return { ...common, past: [...rows, recorded], [Symbol.dispose]: dispose };
}

/** The row with the greatest time up to `ms`, the newest if several have it. Undefined if only archived rows have one. */
function inForce({ past, archived }: World, ms: number): PastRow | undefined {
  const left = past.filter(({ seq, atMs }) => seq > archived && atMs <= ms);
  const found = left.reduce<PastRow | undefined>(
    (best, row) => (best === undefined || row.atMs >= best.atMs ? row : best),
    undefined,
  );
  if (found !== undefined) return found;
  const last = past[archived];
  return archived > 0 && last !== undefined && last.atMs <= ms ? last : undefined;
}

/** `MOMENTS` random rows that can be asked for. */
function randomRows({ past, archived, random }: World): readonly PastRow[] {
  const first = Math.max(1, archived);
  return Array.from({ length: MOMENTS }, () => past[first + Math.floor(random() * (past.length - first))] as PastRow);
}

const VALID = "valid_from_seq <= ? and (valid_to_seq is null or valid_to_seq > ?)";

/** The views after the row `seq`. */
function viewed(database: Database, seq: number): Map<PeerId, unknown> {
  const rows = (query: string) => database.prepare<unknown[], Record<string, unknown>>(query).all(seq, seq);
  const standings = rows(`select * from standing_periods where ${VALID}`);
  const sessions = rows(`select * from session_periods where ${VALID} order by valid_from_seq`);
  const outages = rows(`select * from outage_periods where ${VALID}`);
  const peerIds = new Set([...standings, ...sessions].map((row) => row["peer_id"] as PeerId));
  return new Map(
    [...peerIds].map((peerId) => {
      const of = (row: Record<string, unknown>) => row["peer_id"] === peerId;
      const standing = standings.filter(of);
      expect(standing.length).toBeLessThanOrEqual(1);
      const open = (direction: string) =>
        sessions.findLast((row) => of(row) && row["direction"] === direction)?.["valid_from_seq"];
      const outage = outages.filter(of);
      expect(outage.length).toBeLessThanOrEqual(1);
      const { standing: what = null, relation = null, address = null, valid_from_seq: generation = null } = standing[0] ?? {};
      const down = outage[0] === undefined ? null : { seq: outage[0]["valid_from_seq"], began: outage[0]["began"] };
      const streams = { outbound: open("outbound") ?? null, inbound: open("inbound") ?? null };
      return [peerId, { standing: what, relation, address, generation, ...streams, down }];
    }),
  );
}

const isSeen = ({ standing, outbound, inbound }: PastPeer) => standing !== null || outbound !== null || inbound !== null;

/** The same by the replay. The outages of the view omit the moment in which one stream replaces another, and count later failures. */
function replayed({ past }: World, { seq, peers }: PastRow): Map<PeerId, unknown> {
  const next = past[seq + 1]?.peers;
  return new Map(
    [...peers]
      .filter(([, peer]) => isSeen(peer))
      .map(([peerId, { down, standing, relation, address, generation, outbound, inbound }]) => {
        const peer = { standing, relation, address, generation, outbound, inbound };
        const isReplacing = down?.began === "replaced" && down.seq === seq && next?.get(peerId)?.outbound != null;
        return [peerId, { ...peer, down: down === null || isReplacing ? null : { seq: down.seq, began: down.began } }];
      }),
  );
}

/** Distinct and sorted; null for none. */
const reasons = (failed: readonly { readonly reason: string }[]) =>
  failed.length === 0 ? null : [...new Set(failed.map(({ reason }) => reason))].sort().join(", ");

/** The rule of outage_periods. An archive keeps a close with the time that was known in it, and not when its outage ended. */
function downSinceMs({ past, archived }: Pick<World, "past" | "archived">, peerId: PeerId, { seq, closed }: Down): number {
  const recordedMs = past[seq]?.atMs ?? Number.NaN;
  if (closed === null || (closed.openedSeq <= archived && seq > archived)) return recordedMs;
  const measuredMs = closed.openedAtMs + closed.durationMs;
  const isEarly = recordedMs < closed.openedAtMs;
  if (seq <= archived) return isEarly ? measuredMs : recordedMs;
  const end = past.find((row) => row.seq > seq && row.peers.get(peerId)?.down?.seq !== seq)?.atMs ?? Date.now();
  if (!isEarly && recordedMs <= Math.max(measuredMs + 60_000, end)) return recordedMs;
  return measuredMs <= end ? measuredMs : recordedMs;
}

/** The peers as `--as-of` shows them. Failures of archived attempts are not known any more. */
function shown({ past, archived }: World, { peers }: PastRow): unknown[] {
  const at = (seq: number | null) => (seq === null ? null : iso(past[seq]?.atMs ?? Number.NaN));
  return [...peers]
    .filter(([, peer]) => isSeen(peer))
    .map(([peerId, { standing, relation, address, generation, outbound, inbound, down }]) => ({
      peerId,
      standing,
      relation,
      address,
      since: at(generation),
      desiredSeq: generation,
      outboundSince: at(outbound),
      inboundSince: at(inbound),
      downSince: down === null ? null : iso(downSinceMs({ past, archived }, peerId, down)),
      downBegan: down?.began ?? null,
      failures: reasons(down?.failed.filter(({ seq }) => seq > archived) ?? []),
    }))
    .sort((a, b) => (a.peerId < b.peerId ? -1 : 1));
}

const IN_FORCE = "select seq from events where at_ms <= ? order by at_ms desc, seq desc limit 1";

describe("as of a seq and as of a time", () => {
  it("the views and --as-of say what a replay to there gives", async () => {
    await fc.assert(
      fc.asyncProperty(seeds, archives, async (seed, archiveAt) => {
        using world = await worldOf(seed, archiveAt);
        using raw = rawConnection(world.path, { readonly: true });
        using reader = openLogReader(world.path);
        for (const row of randomRows(world)) {
          expect(viewed(raw.database, row.seq), `seq ${row.seq}`).toEqual(replayed(world, row));
          expect(reader.asOf({ seq: row.seq }), `seq ${row.seq}`).toMatchObject({ seq: row.seq, peers: shown(world, row) });
        }
        let compared = 0;
        for (const { atMs } of randomRows(world)) {
          const ms = atMs + Math.floor(world.random() ** 3 * DAY_MS);
          const row = inForce(world, ms);
          if (row === undefined) continue;
          expect(reader.asOf({ atMs: ms }), iso(ms)).toMatchObject({ seq: row.seq, atMs: ms, peers: shown(world, row) });
          const found = raw.database.prepare<[number], { seq: number }>(IN_FORCE).get(ms);
          if (row.seq > world.archived) expect(found?.seq, iso(ms)).toBe(row.seq);
          compared++;
        }
        expect(compared).toBeGreaterThan(MOMENTS / 2);
      }),
      { numRuns: 4 },
    );
  }, 180_000);

  it("shows of one peer what it shows of all, and what had been learned of it by then", async () => {
    let archived = 0;
    for (const seed of [7, 8, 9]) {
      using world = await worldOf(seed, 0.4);
      using reader = openLogReader(world.path);
      for (const { seq, peers: replayed } of randomRows(world)) {
        for (const peer of reader.asOf({ seq }).peers) {
          const { learned, ...rest } = reader.peerAsOf({ seq }, peer.peerId, 5).peer ?? { learned: null };
          expect(rest).toEqual(peer);
          expect(learned?.seq ?? null, `${peer.peerId} at ${seq}`).toBe(replayed.get(peer.peerId)?.learned);
          if (learned === null) continue;
          expect(learned.agent).toMatch(/^agent/);
          if (learned.seq <= world.archived) archived++;
        }
      }
    }
    expect(archived).toBeGreaterThan(0);
  });

  it("the views say nothing false of the time before the newest archive", async () => {
    await fc.assert(
      fc.asyncProperty(seeds, fc.double({ min: 0.3, max: 0.9, noNaN: true }), async (seed, archiveAt) => {
        using world = await worldOf(seed, archiveAt);
        using raw = rawConnection(world.path, { readonly: true });
        let compared = 0;
        for (let seq = 1; seq < world.archived; seq += 7) {
          const query = `select peer_id, standing, relation, address from standing_periods where ${VALID}`;
          for (const { peer_id: peerId, ...row } of raw.database
            .prepare<unknown[], Record<string, unknown>>(query)
            .all(seq, seq)) {
            expect(world.past[seq]?.peers.get(peerId as PeerId)).toMatchObject(row);
            compared++;
          }
        }
        if (world.archived > 100) expect(compared).toBeGreaterThan(0);
      }),
      { numRuns: 4 },
    );
  });
});

interface Day {
  readonly peer_id: PeerId;
  readonly day: string;
  readonly desired_seconds: number;
  readonly established_seconds: number;
  readonly share: number;
}

function days({ path }: World, until = "9999"): readonly Day[] {
  using raw = rawConnection(path, { readonly: true });
  return raw.database.prepare<[string], Day>("select * from uptime_daily where day <= ? order by peer_id, day").all(until);
}

describe("uptime_daily", () => {
  it("adds up what the replay gives, day by day, from the first whole day after an archive on", async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(seeds, archives, async (seed, archiveAt) => {
        using world = await worldOf(seed, archiveAt, false);
        const lastDay = iso(world.nowMs - DAY_MS).slice(0, 10);
        const firstRow = world.past[world.archived + 1]?.atMs ?? 0;
        const firstDay = iso(world.archived === 0 ? firstRow : firstRow + DAY_MS).slice(0, 10);
        const found = days(world, lastDay).map((row) => [row.peer_id, row.day, row.desired_seconds, row.established_seconds]);
        expect(found).toEqual(uptime(world.past).filter(([, day]) => day >= firstDay && day <= lastDay));
        compared += found.length;
      }),
      { numRuns: 4 },
    );
    // A single world may leave no whole day after its archive, or desire no peer on it.
    expect(compared).toBeGreaterThan(0);
  });

  it("never exceeds a day or falls below nothing, whatever the clock did", async () => {
    await fc.assert(
      fc.asyncProperty(seeds, archives, async (seed, archiveAt) => {
        using world = await worldOf(seed, archiveAt);
        for (const { established_seconds: established, desired_seconds: desired, share } of days(world)) {
          expect(established).toBeGreaterThanOrEqual(0);
          expect(established).toBeLessThanOrEqual(desired);
          expect(desired).toBeLessThanOrEqual(DAY_MS / 1_000);
          expect(share).toBeGreaterThanOrEqual(0);
          expect(share).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 4 },
    );
  });
});

/** Seconds desired and established, by peer and UTC day. */
function uptime(past: readonly PastRow[]): (readonly [PeerId, string, number, number])[] {
  const sums = new Map<string, { peerId: PeerId; day: string; desired: number; established: number }>();
  for (const [index, { atMs: fromMs, peers }] of past.entries()) {
    const toMs = past[index + 1]?.atMs ?? Date.now();
    if (index === 0) continue;
    for (const [peerId, { standing, down }] of peers) {
      if (standing !== "partner") continue;
      for (let dayMs = fromMs - (fromMs % DAY_MS); dayMs < toMs; dayMs += DAY_MS) {
        const ms = Math.min(toMs, dayMs + DAY_MS) - Math.max(fromMs, dayMs);
        const day = iso(dayMs).slice(0, 10);
        const sum = sums.get(`${peerId} ${day}`) ?? { peerId, day, desired: 0, established: 0 };
        sum.desired += ms;
        if (down === null) sum.established += ms;
        sums.set(`${peerId} ${day}`, sum);
      }
    }
  }
  return [...sums.values()]
    .filter(({ desired }) => desired > 0)
    .map(({ peerId, day, desired, established }) => [peerId, day, desired / 1_000, established / 1_000] as const)
    .sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1));
}
