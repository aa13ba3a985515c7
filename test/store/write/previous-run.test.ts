/** Until when a run that was killed can have had streams open. */
import { describe, expect, it } from "vitest";
import { aliveUntilMs } from "../../../src/store/write/previous-run.ts";

const HOUR_MS = 3_600_000;

describe("a run that was killed was alive", () => {
  it.each([
    ["until its last sign of life", { lastRowAtMs: 1_000, lastAliveMs: 51_000, nowMs: HOUR_MS }, 51_000],
    ["until its last row, if that came after it", { lastRowAtMs: 56_000, lastAliveMs: 51_000, nowMs: HOUR_MS }, 56_000],
    ["until its last row, at most two signs later", { lastRowAtMs: 71_000, lastAliveMs: 51_000, nowMs: HOUR_MS }, 71_000],
    ["not until a row that another command wrote later", { lastRowAtMs: 900_000, lastAliveMs: 51_000, nowMs: HOUR_MS }, 51_000],
    ["until its last row, if nothing else is known", { lastRowAtMs: 1_000, lastAliveMs: null, nowMs: HOUR_MS }, 1_000],
    ["until now, if the log is empty", { lastRowAtMs: null, lastAliveMs: null, nowMs: HOUR_MS }, HOUR_MS],
    ["not later than now, if the log is empty", { lastRowAtMs: null, lastAliveMs: 1_000, nowMs: 0 }, 0],
    ["not later than now", { lastRowAtMs: 1_000, lastAliveMs: 9 * HOUR_MS, nowMs: HOUR_MS }, HOUR_MS],
  ])("%s", (_, run, expected) => expect(aliveUntilMs(run)).toBe(expected));
});
