/** A clock that was wrong for a while spoils only what was written then. */
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { type ArchiveOptions, archive } from "../../src/store/archive/archive.ts";
import { openLogReader } from "../../src/store/log-reader.ts";
import { PEER_A, PEER_B } from "../support/peers.ts";
import { archiveBefore, findingsIn } from "./support/archiving.ts";
import { append, closed, desired, observe, opened } from "./support/events.ts";
import { TemporaryStore } from "./support/temporary-store.ts";

const DAY_MS = 86_400_000;

/** A partner with an open stream for five days. */
function fiveDays(): TemporaryStore {
  const temporary = new TemporaryStore();
  append(temporary.store, desired({ peerId: PEER_A }));
  observe(temporary.store, opened(PEER_A));
  temporary.clock.stall(5 * DAY_MS);
  return temporary;
}

const uptimeOf = (temporary: TemporaryStore) =>
  temporary.read("select day, share, desired_seconds from uptime_daily where peer_id = ? order by day limit 6", PEER_A);

it("a row from 1970 takes nothing from the days before it", () => {
  using temporary = fiveDays();
  const { clock, store, path } = temporary;
  const nowMs = clock.wallMs();
  const tuesdayMs = nowMs - 2 * DAY_MS;
  const before = uptimeOf(temporary);
  clock.stall(5_000 - nowMs);
  append(store, desired({ peerId: PEER_B, resourceId: "resource-b" as never }));
  clock.stall(nowMs - 5_000);
  append(store, desired({ peerId: PEER_B, resourceId: "resource-b" as never, relation: "NONE", standing: "revoked" }));
  expect(before).toHaveLength(6);
  expect(uptimeOf(temporary)).toEqual(before);
  using reader = openLogReader(path);
  expect(reader.asOf({ atMs: tuesdayMs })).toMatchObject({ seq: 2, peers: [{ peerId: PEER_A, downSince: null }] });
  expect(reader.asOf({ atMs: nowMs }).seq).toBe(4);
  expect(temporary.read("select clock_set_back_ms from events where clock_set_back_ms is not null")).toHaveLength(1);
});

it("a close dated ten years ahead counts from when it must have happened, and is an outage until now", () => {
  using temporary = fiveDays();
  const { clock, store } = temporary;
  const nowMs = clock.wallMs();
  clock.stall(3_650 * DAY_MS);
  observe(store, closed(PEER_A, { durationMs: 5 * DAY_MS }));
  clock.stall(-3_650 * DAY_MS);
  append(store, desired({ peerId: PEER_B, resourceId: "resource-b" as never }));
  const [outage] = temporary.read(
    "select valid_from_ms, seconds from outage_periods where peer_id = ? and began = 'expired'",
    PEER_A,
  );
  expect(outage?.["valid_from_ms"]).toBe(nowMs);
  expect(outage?.["seconds"]).toBeGreaterThan(0);
  const last = temporary.read("select share from uptime_daily where peer_id = ? order by day desc limit 1", PEER_A);
  expect(last).toEqual([{ share: 0 }]);
});

it("a row dated back before an archive's end claims nothing about the archived days", async () => {
  using temporary = fiveDays();
  const { clock } = temporary;
  observe(temporary.store, closed(PEER_A, { durationMs: 5 * DAY_MS }));
  clock.stall(8 * DAY_MS);
  const opening = observe(temporary.store, opened(PEER_A));
  if (typeof opening === "string") throw new Error("expected a row");
  append(temporary.store, desired({ peerId: PEER_B, resourceId: "resource-b" as never }));
  temporary.store[Symbol.dispose]();
  await archiveBefore(temporary.directory, opening.seq + 1);
  temporary.reopen();
  const days = () => temporary.read("select min(day) as first, count(*) as days from uptime_daily where peer_id = ?", PEER_A);
  const before = days();
  clock.stall(-9 * DAY_MS);
  append(temporary.store, desired({ peerId: PEER_B, resourceId: "resource-b" as never, relation: "NONE", standing: "revoked" }));
  clock.stall(9 * DAY_MS);
  append(temporary.store, desired({ peerId: PEER_B, resourceId: "resource-b" as never }));
  expect(before[0]?.["first"]).toBe("2026-01-15");
  expect(days()).toEqual(before);
});

describe("an outage after a close", () => {
  const MINUTE_MS = 60_000;

  it.each([
    ["the clock was 100 days ahead for a moment", 100 * DAY_MS, -100 * DAY_MS],
    ["the clock was 100 days behind for a moment", -100 * DAY_MS, 100 * DAY_MS],
    ["a clock that was an hour ahead was corrected while the stream was open", -60 * MINUTE_MS, 0],
    ["a clock that was an hour behind was corrected while the stream was open", 60 * MINUTE_MS, 0],
  ])("lasts a minute by every view and --as-of, although %s", (_, beforeMs, afterMs) => {
    using temporary = new TemporaryStore();
    const { clock, store, path } = temporary;
    append(store, desired({ peerId: PEER_A }));
    observe(store, opened(PEER_A));
    clock.stall(40 * MINUTE_MS + beforeMs);
    observe(store, closed(PEER_A, { durationMs: 40 * MINUTE_MS }));
    clock.stall(MINUTE_MS + afterMs);
    observe(store, opened(PEER_A));
    const [outage] = temporary.read("select valid_from_at, seconds from outage_periods where began = 'expired'");
    expect(outage?.["seconds"]).toBe(60);
    using reader = openLogReader(path);
    expect(reader.asOf({ seq: 3 })).toMatchObject({ peers: [{ downSince: outage?.["valid_from_at"] }] });
  });
});

describe("archiving what is older than 30 days", () => {
  const before30Days = ({ directory, clock }: TemporaryStore, options: Partial<ArchiveOptions> = {}) =>
    archive({
      data: directory,
      before: { atMs: clock.wallMs() - 30 * DAY_MS },
      clock: { ...systemClock, wallMs: () => clock.wallMs() },
      ...options,
    });

  /** `days` rows, one a day, written by a clock that is wrong by `wrongByMs`. */
  function write({ store, clock }: TemporaryStore, days: number, wrongByMs = 0): void {
    for (let day = 0; day < days; day++) {
      clock.stall(DAY_MS + wrongByMs);
      append(store, desired({ peerId: PEER_A, name: `day ${clock.wallMs()}` }));
      clock.stall(-wrongByMs);
    }
  }

  it.each([
    ["at the beginning of the log", 0, 60],
    ["in the middle", 20, 40],
    ["just before the 30 days", 50, 10],
  ])("takes a few rows from the future with it, %s", async (_, daysBefore, daysAfter) => {
    using temporary = new TemporaryStore();
    write(temporary, daysBefore);
    write(temporary, 3, 365 * DAY_MS);
    write(temporary, daysAfter);
    write(temporary, 30);
    const last = 3 + daysBefore + daysAfter - 1;
    const planned = await before30Days(temporary, { dryRun: true });
    expect(planned).toMatchObject({ kind: "planned", plan: { firstSeq: 1, lastSeq: last }, misdated: { moved: 3, kept: 0 } });
    expect(await before30Days(temporary)).toMatchObject({ kind: "archived", anchor: { lastSeq: last } });
    temporary.reopen();
    expect(findingsIn(temporary.directory)).toEqual([]);
  });

  it("does not take the last days because of a few rows from the past", async () => {
    using temporary = new TemporaryStore();
    write(temporary, 60);
    write(temporary, 2, -10_000 * DAY_MS);
    write(temporary, 10);
    expect(await before30Days(temporary, { dryRun: true })).toMatchObject({
      plan: { lastSeq: 41 },
      misdated: { moved: 0, kept: 2, behind: { seq: 42 }, allBeforeSeq: 63 },
    });
  });

  it("says what is in the way if most rows are from the future", async () => {
    using temporary = new TemporaryStore();
    const startMs = temporary.clock.wallMs();
    write(temporary, 40, 365 * DAY_MS);
    write(temporary, 45);
    expect(await before30Days(temporary)).toMatchObject({
      kind: "nothing",
      misdated: { moved: 0, kept: 14, behind: { seq: 1, atMs: startMs + 366 * DAY_MS }, allBeforeSeq: 55 },
    });
    expect(await before30Days(temporary, { before: { seq: 55 } })).toMatchObject({ kind: "archived", misdated: { kept: 0 } });
  });
});

it("a row that is written late does not look as if the clock was set back", () => {
  using temporary = new TemporaryStore();
  const { clock, store } = temporary;
  const observation = { event: opened(PEER_A), atMs: clock.wallMs(), causeSeq: null };
  clock.stall(60_000);
  append(store, desired({ peerId: PEER_B }));
  store.appendObserved(observation);
  expect(temporary.read("select clock_set_back_ms from event_log")).toEqual([
    { clock_set_back_ms: null },
    { clock_set_back_ms: null },
  ]);
});
