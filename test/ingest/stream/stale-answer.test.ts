import { expect, test } from "vitest";
import { RestartLoop } from "../../../src/ingest/stream/restart-loop.ts";
import { StaleAnswer } from "../../../src/ingest/stream/stale-answer.ts";

test("a broker that is behind is believed at the third look, after five seconds", async () => {
  const answers = async (...looks: readonly (readonly [isBehind: boolean, atMs: number])[]) => {
    let nowMs = 0;
    const stale = new StaleAnswer(() => nowMs);
    const believed: boolean[] = [];
    for (const [isBehind, atMs] of looks) {
      nowMs = atMs;
      believed.push(stale.isBelieved(await stale.look(async () => isBehind)));
    }
    return believed;
  };
  expect(await answers([true, 1_000], [true, 6_000], [true, 6_000])).toEqual([false, false, true]);
  expect(await answers([true, 1_000], [true, 5_998], [true, 5_999], [true, 6_000])).toEqual([false, false, false, true]);
  const afterASoundOne = await answers(
    [true, 1_000],
    [true, 2_000],
    [false, 3_000],
    [true, 10_000],
    [true, 15_000],
    [true, 15_000],
  );
  expect(afterASoundOne).toEqual([false, false, false, false, false, true]);
  expect(await answers([true, 0], [true, 9_000], [true, 18_000]), "looks that are close enough").toEqual([false, false, true]);
  expect(await answers([true, 0], [true, 9_001], [true, 9_002]), "two leaders may have answered").toEqual([false, false, false]);
});

const GONE = { reason: "consumer_missing" } as const;

/** A loop after readings that each lasted this long, one second apart. */
function after(...readings: readonly number[]): { loop: RestartLoop; endMs: number } {
  const loop = new RestartLoop();
  let endMs = 0;
  for (const lastsMs of readings) {
    loop.began(endMs + 1_000);
    endMs += 1_000 + lastsMs;
    loop.ended(endMs, GONE);
  }
  return { loop, endMs };
}

test("three brief readings in a row are a loop, until one lasts five seconds", () => {
  expect(after(1, 1).loop.current(10_000)).toBeNull();
  expect(after(1, 1, 1).loop.current(10_000)).toEqual({ reason: "consumer_missing", nextStep: null });
  expect(after(1, 4_999, 1).loop.current(10_000)).not.toBeNull();
  expect(after(1, 1, 5_000, 1).loop.current(10_000)).toBeNull();
  expect(after(1, 1, 5_000, 1, 1).loop.current(20_000)).not.toBeNull();
});

test("reading restarts for less than five seconds after its end, not at all on a new connection", () => {
  const { loop, endMs } = after(1);
  expect([loop.isRestarting(endMs), loop.isRestarting(endMs + 4_999), loop.isRestarting(endMs + 5_000)]).toEqual([
    true,
    true,
    false,
  ]);
  loop.connected();
  expect(loop.isRestarting(endMs)).toBe(false);
});
