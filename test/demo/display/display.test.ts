import { describe, expect, test } from "vitest";
import { changes, createDisplay } from "../../../src/demo/display/display.ts";
import { screen } from "../../../src/demo/display/screen.ts";
import { paint, span } from "../../../src/demo/display/style.ts";
import type { StepState } from "../../../src/demo/stage/state.ts";
import { BACKOFF, nodes, state } from "../nodes.ts";

const ESCAPE = "\u001b";

function output(terminal: { columns: number; rows: number } | undefined) {
  const written: string[] = [];
  return {
    isTTY: terminal !== undefined,
    columns: terminal?.columns ?? 0,
    rows: terminal?.rows ?? 0,
    written,
    write: (text: string | Uint8Array) => {
      written.push(String(text));
      return true;
    },
  };
}

describe("on a terminal", () => {
  const height = screen(state()).length;

  test("each picture replaces the previous one, and the cursor is hidden until the end", () => {
    const out = output({ columns: 80, rows: 50 });
    {
      using display = createDisplay(out, {});
      display.show(state());
      display.show(state({ elapsedMs: 13_000 }));
      display.print([[span("below")]]);
      display.show(state());
    }
    const [first, second, below, third, last] = out.written;
    expect(first).toContain(`${ESCAPE}[?25l`);
    expect(first).not.toMatch(new RegExp(`${ESCAPE}\\[\\d+A`));
    expect(second).toContain(`${ESCAPE}[${height}A`);
    expect(second?.split("\n")).toHaveLength(height + 1);
    expect(below).toBe("below\n");
    expect(third).not.toMatch(new RegExp(`${ESCAPE}\\[\\d+A`));
    expect(last).toBe(`${ESCAPE}[?25h`);
  });

  test("a low terminal shows only the bottom of the picture, which can be redrawn", () => {
    const out = output({ columns: 80, rows: 8 });
    using display = createDisplay(out, {});
    display.show(state());
    display.show(state());
    expect(out.written[1]).toContain(`${ESCAPE}[7A`);
    expect(out.written[1]?.split("\n")).toHaveLength(8);
    expect(out.written[1]).toContain("nantes");
  });

  test("colours unless NO_COLOR is set", () => {
    const [plain, coloured] = [{ NO_COLOR: "1" }, { NO_COLOR: "" }].map((env) => {
      const out = output({ columns: 80, rows: 50 });
      using display = createDisplay(out, env);
      display.show(state());
      return out.written.join("");
    });
    expect(coloured).toContain(`${ESCAPE}[32m`);
    expect(plain).toContain("established");
    expect(plain).not.toMatch(new RegExp(`${ESCAPE}\\[\\d*m`));
  });
});

test("without a terminal, each change is printed once, without control sequences", () => {
  const out = output(undefined);
  using display = createDisplay(out, {});
  display.show(state());
  display.show(state({ nodes: nodes({ processes: { paris: "frozen" } }) }));
  display.show(state({ nodes: nodes({ processes: { paris: "frozen" } }) }));
  display.print([[span("the end", "bold")]]);
  expect(out.written.join("")).toBe(" 12.3 s      paris is frozen\nthe end\n");
});

test("a line is truncated to the width, not counting colours", () => {
  const line = [span("one ", "green"), span("two ", "bold"), span("three")];
  expect(paint(line, 13, false)).toBe("one two three");
  expect(paint(line, 12, false)).toBe("one two thr…");
  expect(paint(line, 6, true)).toBe(`${ESCAPE}[32mone ${ESCAPE}[39m${ESCAPE}[1mt${ESCAPE}[22m…`);
});

describe("the changes between two states are", () => {
  const step = (change: Partial<StepState>): StepState => ({
    title: "a step",
    state: "waiting",
    elapsedMs: 1_250,
    missing: null,
    ...change,
  });

  test("none if only time has passed", () => {
    expect(changes(state(), state({ elapsedMs: 20_000 }))).toEqual([]);
  });

  test("phases with their reason, streams and relations, each with its old value", () => {
    const views = { "lyon paris": BACKOFF, "paris lyon": { relation: "BLACKLIST" } };
    expect(changes(state(), state({ nodes: nodes({ views }) }))).toEqual([
      " 12.3 s      lyon -> paris: established, now backoff (connection_refused)",
      " 12.3 s      lyon <- paris: established, now closed",
      " 12.3 s      paris desires lyon as: PARTNER, now BLACKLIST",
    ]);
  });

  test("none for a node that does not answer, and all of them when it answers again", () => {
    const frozen = state({ nodes: nodes({ processes: { paris: "frozen" } }) });
    expect(changes(state(), frozen)).toEqual([" 12.3 s      paris is frozen"]);
    expect(changes(frozen, state())).toContain(" 12.3 s      paris -> lyon: established");
  });

  test("the steps as they start, finish and fail, after the changes that led to it", () => {
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
});
