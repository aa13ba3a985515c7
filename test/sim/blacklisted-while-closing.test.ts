/** A peer that is blacklisted while its connection still closes, because it no longer answers, loses the connection at once. */
import { expect, test } from "vitest";
import { parseFixture } from "../../src/fixture/format/parse.ts";
import { simulate } from "../../src/sim/simulate.ts";

test("a connection that is closing is aborted when its peer is blacklisted, and the periodic diff finds nothing to do", async () => {
  const lines = [
    { fixture: "oc-partnerd", version: 1, durationMs: 6_000, settings: { resyncMs: 100 } },
    { atMs: 3_000, publish: "paris" },
    { atMs: 3_100, peer: "paris", does: "cut" },
    { atMs: 3_100, publish: "paris", relation: "NONE" },
    { atMs: 3_101, publish: "paris", relation: "BLACKLIST" },
  ];
  const { violations, trace } = await simulate(parseFixture(lines.map((line) => JSON.stringify(line)).join("\n"), "closing"));
  expect(violations).toEqual([]);
  expect(trace.filter((line) => line.includes("close: relation is BLACKLIST"))).toHaveLength(1);
});
