/** A clock that was wrong for a while spoils only what was written then. */
import { describe, expect, it } from "vitest";
import { openLogReader } from "../../src/store/log-reader.ts";
import { PEER_A, PEER_B } from "../support/peers.ts";
import { archiveBefore } from "./support/archiving.ts";
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
