import { expect, test } from "vitest";
import { changes } from "../../../src/demo/display/display.ts";
import type { StepState } from "../../../src/demo/stage/state.ts";
import { BACKOFF, nodes, state } from "../nodes.ts";

const step = (change: Partial<StepState>): StepState => ({
  title: "a step",
  state: "waiting",
  elapsedMs: 1_250,
  missing: null,
  ...change,
});

test("nothing, where only time has passed", () => {
  expect(changes(state(), state({ elapsedMs: 20_000 }))).toEqual([]);
});

test("phases with their reason, streams and relations, each with what it was", () => {
  const views = { "lyon paris": BACKOFF, "paris lyon": { relation: "BLACKLIST" } };
  expect(changes(state(), state({ nodes: nodes({ views }) }))).toEqual([
    " 12.3 s      lyon -> paris: established, now backoff (dial_failed)",
    " 12.3 s      lyon <- paris: established, now closed",
    " 12.3 s      paris desires lyon as: PARTNER, now BLACKLIST",
  ]);
});

test("a node that cannot be asked has no news of its peers; one that answers again has them all", () => {
  const frozen = state({ nodes: nodes({ processes: { paris: "frozen" } }) });
  expect(changes(state(), frozen)).toEqual([" 12.3 s      paris is frozen"]);
  expect(changes(frozen, state())).toContain(" 12.3 s      paris -> lyon: established");
});

test("the steps as they begin, end and fail, after what has led to it", () => {
  const before = state({ steps: [step({ state: "running" }), step({}), step({ state: "running" })] });
  const after = state({
    steps: [step({ state: "done" }), step({ state: "running" }), step({ state: "failed", missing: "no stream" })],
    nodes: nodes({ processes: { paris: "killed" } }),
  });
  expect(changes(before, after)).toEqual([
    " 12.3 s      paris is killed",
    " 12.3 s  ✓ a step (1.3 s)",
    " 12.3 s  ▸ a step",
    " 12.3 s  ✗ a step: no stream",
  ]);
});
