import { expect, it } from "vitest";
import { seededRandom } from "../../src/sim/time/random.ts";
import { ENDS, PASTS, PHASES, planRound, planText, type RoundPlan, SAVES, type Saves, SURVIVORS, VICTIMS } from "./plan.ts";

const BOTH: Saves = { hasCopy: true, hasBackup: true };

function plans(seed: number, canLosePower: boolean, saves = BOTH): RoundPlan[] {
  const random = seededRandom(seed);
  return Array.from({ length: 500 }, () => planRound(random, canLosePower, saves));
}

it("depends only on the seed", () => {
  expect(plans(1, true)).toEqual(plans(1, true));
  expect(plans(1, true)).not.toEqual(plans(2, true));
});

it("kills every victim in every phase and in every way", () => {
  const drawn = plans(1, true);
  expect(new Set(drawn.map(({ victim }) => victim))).toEqual(new Set(VICTIMS));
  expect(new Set(drawn.map(({ phase }) => phase))).toEqual(new Set(PHASES));
  expect(new Set(drawn.map(({ end }) => end))).toEqual(new Set(ENDS));
  expect(new Set(drawn.map(planText)).size).toBe(drawn.length);
});

it("stops a daemon in an orderly way only if the server was killed, and cuts power only if the disk allows it", () => {
  expect(plans(1, true).filter(({ end, victim }) => end === "stop" && victim !== "server")).toEqual([]);
  expect(plans(1, false).filter(({ end }) => end === "power loss")).toEqual([]);
});

it("rolls back, restores and clones in every way, and never a first start", () => {
  const drawn = plans(1, true);
  expect(new Set(drawn.map(({ past }) => past))).toEqual(new Set(PASTS));
  expect(new Set(drawn.map(({ save }) => save))).toEqual(new Set(SAVES));
  const cloned = drawn.filter(({ phase }) => phase === "cloned");
  expect(new Set(cloned.map(({ survivor }) => survivor))).toEqual(new Set(SURVIVORS));
  expect(new Set(cloned.map(({ bothNotice }) => bothNotice)).size).toBe(2);
  const setBack = drawn.filter(({ past }) => past !== "kept");
  expect(setBack.map(({ phase }) => phase)).not.toContain("first start");
  for (const limit of [0, 1]) expect(setBack.some(({ purge }) => purge !== null && purge > limit)).toBe(true);
  expect(setBack.some(({ purge }) => purge === null)).toBe(true);
});

it("goes back only to what the lane has saved, and backs up only a daemon that is ready", () => {
  const pastsWith = (hasCopy: boolean, hasBackup: boolean) =>
    new Set(plans(1, true, { hasCopy, hasBackup }).map(({ past }) => past));
  expect(pastsWith(false, false)).toEqual(new Set(["kept"]));
  expect(pastsWith(true, false)).toEqual(new Set(["kept", "rolled back"]));
  expect(pastsWith(false, true)).toEqual(new Set(["kept", "restored"]));
  const backups = plans(1, true, { hasCopy: false, hasBackup: false }).filter(({ save }) => save === "backup");
  expect(new Set(backups.map(({ phase }) => phase))).toEqual(new Set(["steady"]));
});
