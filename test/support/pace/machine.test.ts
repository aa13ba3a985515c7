import { describe, expect, it } from "vitest";
import { type MachineReading, parseStat, readMachine, shareOf } from "./machine.ts";
import { slownessOf } from "./slowness.ts";

const IDLE: MachineReading = { cores: 2, runnable: 1, ticks: 1_000, stolenTicks: 0 };

describe("a reading of the machine", () => {
  it("reads cores, runnable tasks and stolen time from /proc/stat", () => {
    const stat =
      "cpu  10 1 20 900 5 0 4 60 7 0\ncpu0 5 0 10 450 2 0 2 30 3 0\ncpu1 5 1 10 450 3 0 2 30 4 0\nintr 5\nprocs_running 7\nprocs_blocked 1\n";
    expect(parseStat(stat)).toEqual({ cores: 2, runnable: 7, ticks: 1_000, stolenTicks: 60 });
  });

  it("counts at least this process", () => {
    const { cores, runnable } = readMachine();
    expect(cores).toBeGreaterThan(0);
    expect(runnable).toBeGreaterThan(0);
  });
});

describe("the share of a core", () => {
  it.each([
    ["is 1 on an idle machine", { runnable: 1 }, 1],
    ["is 1 if there is a core for every task", { runnable: 2 }, 1],
    ["is shared with ten busy processes", { runnable: 12 }, 1 / 6],
    ["is reduced by the time that a hypervisor stole", { ticks: 1_100, stolenTicks: 25 }, 0.75],
    ["has a minimum, so that no deadline lasts for ever", { runnable: 10_000 }, 1 / 30],
  ])("%s", (_, change, share) => {
    expect(shareOf({ ...IDLE, ...change }, IDLE)).toBeCloseTo(share, 10);
  });
});

describe("slowness", () => {
  const usual = { compute: 60, startNode: 60, fsync: 10 };

  it.each([
    ["is 1 on an ordinary machine", usual, 1, 1],
    ["is 1 on a fast one", { compute: 5, startNode: 10, fsync: 0.1 }, 1, 1],
    ["is that of a slow processor", { ...usual, compute: 240 }, 1, 4],
    ["is that of a slow disk", { ...usual, fsync: 30 }, 1, 3],
    ["is 1 on a machine that is only busy", { compute: 360, startNode: 360, fsync: 60 }, 1 / 6, 1],
    ["has a maximum", { ...usual, compute: 60_000 }, 1, 12],
  ])("%s", (_, measured, share, slowness) => {
    expect(slownessOf(measured, share)).toBeCloseTo(slowness, 10);
  });
});
