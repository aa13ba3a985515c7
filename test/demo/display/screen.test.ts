import { describe, expect, test } from "vitest";
import { LEAST_COLUMNS, screen } from "../../../src/demo/display/screen.ts";
import type { DemoState, StepState } from "../../../src/demo/stage/state.ts";
import { STEPS } from "../../../src/demo/steps.ts";
import { BACKOFF, nodes, state } from "../nodes.ts";

const lines = (shown: DemoState) =>
  screen(shown).map((line) =>
    line
      .map(({ text }) => text)
      .join("")
      .trimEnd(),
  );
const step = (change: Partial<StepState>): StepState => ({
  title: "a step",
  state: "waiting",
  elapsedMs: 1_250,
  missing: null,
  ...change,
});

test("finished and running steps show their seconds, and a running one what it waits for", () => {
  const steps = [
    step({ title: "one", state: "done" }),
    step({ title: "two", state: "running", missing: "lyon has no stream" }),
    step({ title: "three" }),
  ];
  const shown = lines(state({ steps }));
  expect(shown[0]).toMatch(/^ oc-partnerd demo: .* 12\.3 s$/);
  expect(shown[2]).toMatch(/^ ✓ one +1\.3 s$/);
  expect(shown[3]).toMatch(/^ ▸ two +1\.3 s$/);
  expect(shown[4]).toBe("     lyon has no stream");
  expect(shown[5]).toBe(" · three");
});

test("a failed step still shows what was missing", () => {
  const shown = lines(state({ steps: [step({ state: "failed", missing: "timed out after 5 s" })] }));
  expect(shown[2]).toMatch(/^ ✗ a step/);
  expect(shown[3]).toBe("     timed out after 5 s");
});

describe("the table", () => {
  const table = (shown: DemoState) => lines(shown).filter((line) => /^ (NODE|lyon|paris|nantes| {8})/.test(line));

  test("shows each node's view of the others: leases, backoff, tries and the last error", () => {
    const views = {
      "lyon paris": BACKOFF,
      "lyon nantes": { relation: "BLACKLIST", standing: "blacklisted", outbound: null, inbound: null, phase: "closed" },
    } as const;
    expect(table(state({ nodes: nodes({ views }) })).slice(0, 4)).toEqual([
      " NODE    PEER    DESIRED    OUTBOUND         INBOUND          TRIES  LAST ERROR",
      " lyon    paris   PARTNER    backoff 3s       -                3      connection…",
      "         nantes  BLACKLIST  closed           -                0      -",
      " paris   lyon    PARTNER    established 8s   established 8s   0      -",
    ]);
  });

  test("shows only the reason for a node that does not answer", () => {
    expect(table(state({ nodes: nodes({ processes: { paris: "frozen", nantes: "killed" } }) })).slice(3)).toEqual([
      " paris   lyon    frozen (SIGSTOP)",
      "         nantes",
      " nantes  lyon    killed (SIGKILL)",
      "         paris",
    ]);
  });
});

test("everything fits in 80 columns", () => {
  const steps = STEPS.map(({ title }) => step({ title, state: "done", elapsedMs: 59_999 }));
  const shown = lines(state({ steps, elapsedMs: 59_999, nodes: nodes({ views: { "lyon paris": BACKOFF } }) }));
  for (const line of shown) expect(line.length, line).toBeLessThanOrEqual(LEAST_COLUMNS);
});
