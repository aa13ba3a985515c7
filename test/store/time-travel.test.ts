/** The views with validity intervals say of every moment what the log had come to then. */
import type { Database } from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PeerId } from "../../src/base/ids.ts";
import { archiveBefore } from "./support/archiving.ts";
import { rawConnection } from "./support/temporary-store.ts";
import { type Moment, TimeTravelWorld } from "./support/time-travel-world.ts";

const DAY_MS = 86_400_000;
const MOMENTS = 100;

const iso = (ms: number) => new Date(ms).toISOString();

/** The last row at or before a time, by seq: the clock may have been set back since. */
const asOf = (moments: readonly Moment[], ms: number): Moment | undefined => moments.findLast(({ atMs }) => atMs <= ms);

/** The views as of a moment, in the shape of the world's own record. */
function told(database: Database, where: string, value: string | number): Map<PeerId, unknown> {
  const rows = (query: string) => database.prepare<unknown[], Record<string, unknown>>(query).all(value, value);
  const standings = rows(`select peer_id, standing, relation, address from standing_periods where ${where}`);
  const sessions = rows(`select peer_id, direction, valid_from_seq from session_periods where ${where} order by valid_from_seq`);
  const outages = rows(`select peer_id from outage_periods where ${where}`);
  const peers = new Map<PeerId, unknown>();
  for (const peerId of new Set([...standings, ...sessions].map((row) => row["peer_id"] as PeerId))) {
    const of = (row: Record<string, unknown>) => row["peer_id"] === peerId;
    const { standing = null, relation = null, address = null } = standings.find(of) ?? {};
    const open = (direction: string) =>
      sessions.filter((row) => of(row) && row["direction"] === direction).map((row) => row["valid_from_seq"]);
    const down = outages.filter(of).length;
    peers.set(peerId, { standing, relation, address, outbound: open("outbound"), inbound: open("inbound"), down });
  }
  return peers;
}

/** The state at that moment. A stream that replaces another leaves the partner no time without one. */
function truth(moments: readonly Moment[], moment: Moment): Map<PeerId, unknown> {
  const next = moments[moment.seq + 1];
  return new Map(
    [...moment.peers]
      .filter(([, { standing, outbound, inbound }]) => standing !== null || outbound.length + inbound.length > 0)
      .map(([peerId, state]) => {
        const isReplacing = state.outbound.length === 0 && (next?.peers.get(peerId)?.outbound.length ?? 0) > 0;
        const isDown = state.standing === "partner" && state.outbound.length === 0;
        const down: unknown = isReplacing ? expect.any(Number) : 1;
        return [peerId, { ...state, down: isDown ? down : 0 }];
      }),
  );
}

const BY_SEQ = "valid_from_seq <= ? and (valid_to_seq is null or valid_to_seq > ?)";
const BY_TIME = "valid_from_at <= ? and (valid_to_at is null or valid_to_at > ?)";
const worlds = {
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  archiveAt: fc.option(fc.double({ min: 0.1, max: 0.9, noNaN: true })),
};

async function worldOf({ seed, archiveAt }: { seed: number; archiveAt: number | null }, steps = 300) {
  const world = new TimeTravelWorld(seed).run(steps);
  const head = world.moments.length - 1;
  const archived = archiveAt === null ? 0 : Math.max(1, Math.floor(head * archiveAt));
  world.close();
  if (archived === 0) return { world, moments: world.moments, archived, head };
  await archiveBefore(world.directory, archived + 1, { wallMs: () => world.nowMs });
  // The row that records the archive counts for the time too: the clock may have been set back before it.
  const recorded = {
    seq: head + 1,
    atMs: world.nowMs,
    isLast: true,
    peers: world.moments.at(-1)?.peers ?? new Map<PeerId, never>(),
  };
  return { world, moments: [...world.moments, recorded], archived, head };
}

describe("as of a seq and as of a time", () => {
  it("the views say what a replay to there gives, after restarts, archives and clock jumps", async () => {
    await fc.assert(
      fc.asyncProperty(fc.record(worlds), async (options) => {
        const { world, moments, archived, head } = await worldOf(options);
        using _world = world;
        using raw = rawConnection(world.path, { readonly: true });
        for (let index = 0; index < MOMENTS; index++) {
          const moment = moments[archived + Math.floor(((head - archived) * index) / MOMENTS)];
          if (moment === undefined || moment.seq === 0 || !moment.isLast) continue;
          expect(told(raw.database, BY_SEQ, moment.seq), `seq ${moment.seq}`).toEqual(truth(moments, moment));
          const ms = moment.atMs + (index % 3) * 60_000;
          const then = asOf(moments, ms);
          if (then === undefined || then.seq < archived || !then.isLast) continue;
          expect(told(raw.database, BY_TIME, iso(ms)), iso(ms)).toEqual(truth(moments, then));
        }
      }),
      { numRuns: 4 },
    );
  });

  it("the views say nothing false of the time before the newest archive", async () => {
    await fc.assert(
      fc.asyncProperty(fc.record({ ...worlds, archiveAt: fc.double({ min: 0.3, max: 0.9, noNaN: true }) }), async (options) => {
        const { world, moments, archived } = await worldOf(options);
        using _world = world;
        for (let seq = 1; seq < archived; seq += 7) {
          const moment = moments[seq] as Moment;
          if (!moment.isLast) continue;
          using raw = rawConnection(world.path, { readonly: true });
          const query = `select peer_id, standing, relation, address from standing_periods where ${BY_SEQ}`;
          for (const { peer_id: peerId, ...row } of raw.database.prepare<unknown[], Record<string, unknown>>(query).all(seq, seq))
            expect(moment.peers.get(peerId as PeerId)).toMatchObject(row);
        }
      }),
      { numRuns: 4 },
    );
  });
});

describe("uptime_daily", () => {
  it("adds up what the moments give, day by day", async () => {
    await fc.assert(
      fc.asyncProperty(fc.record({ seed: worlds.seed }), async ({ seed }) => {
        const { world, moments } = await worldOf({ seed, archiveAt: null });
        using _world = world;
        const expected = uptime(moments);
        using raw = rawConnection(world.path, { readonly: true });
        const lastDay = iso(world.nowMs - DAY_MS).slice(0, 10);
        const rows = raw.database
          .prepare<[string], Record<string, unknown>>("select * from uptime_daily where day <= ? order by peer_id, day")
          .all(lastDay);
        const found = rows.map((row) => [row["peer_id"], row["day"], row["desired_seconds"], row["established_seconds"]]);
        expect(found).toEqual(expected.filter(([, day]) => day <= lastDay));
      }),
      { numRuns: 4 },
    );
  });
});

/** Seconds desired and established, by peer and UTC day. A row's time is the earliest that any later row has. */
function uptime(moments: readonly Moment[]): (readonly [PeerId, string, number, number])[] {
  const effective = moments.map(({ atMs }) => atMs);
  for (let index = effective.length - 2; index > 0; index--)
    effective[index] = Math.min(effective[index] ?? 0, effective[index + 1] ?? 0);
  const sums = new Map<string, { peerId: PeerId; day: string; desired: number; established: number }>();
  for (const [index, { peers }] of moments.entries()) {
    const [fromMs, toMs] = [effective[index] ?? 0, effective[index + 1] ?? Date.now()];
    if (index === 0) continue;
    for (const [peerId, state] of peers) {
      if (state.standing !== "partner") continue;
      const isReplacing = state.outbound.length === 0 && (moments[index + 1]?.peers.get(peerId)?.outbound.length ?? 0) > 0;
      for (let dayMs = fromMs - (fromMs % DAY_MS); dayMs < toMs; dayMs += DAY_MS) {
        const ms = Math.min(toMs, dayMs + DAY_MS) - Math.max(fromMs, dayMs);
        const day = iso(dayMs).slice(0, 10);
        const sum = sums.get(`${peerId} ${day}`) ?? { peerId, day, desired: 0, established: 0 };
        sum.desired += ms;
        if (state.outbound.length > 0 || (isReplacing && ms === 0)) sum.established += ms;
        sums.set(`${peerId} ${day}`, sum);
      }
    }
  }
  return [...sums.values()]
    .filter(({ desired }) => desired > 0)
    .map(({ peerId, day, desired, established }) => [peerId, day, desired / 1_000, established / 1_000] as const)
    .sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1));
}
