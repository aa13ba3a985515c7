import { expect, it } from "vitest";
import { seededRandom } from "../../src/sim/time/random.ts";
import { ENDS, PHASES, planRound, planText, type RoundPlan, VICTIMS } from "./plan.ts";

function plans(seed: number, canLosePower: boolean): RoundPlan[] {
  const random = seededRandom(seed);
  return Array.from({ length: 500 }, () => planRound(random, canLosePower));
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
