import { describe, expect, it } from "vitest";
import { explain, goneFrom, isComplete, placesOf, RARE } from "./places.ts";
import { executed, Reached } from "./reached.ts";
import { REASONS } from "./reasons.ts";
import { sourcesInScope } from "./report.ts";
import { Steering } from "./steering.ts";

const SOURCE = `/** A comment that is not code. */
export function first(x: number) {
  if (x > 1) return two(); // rare
  return 1;
}
function two() {
  // Never called.
  return 2;
}
`;

/** The characters of SOURCE, of which `missed` was not executed. */
function charactersWithout(...missed: readonly string[]): Uint8Array {
  const ranges = missed.map((text) => ({
    startOffset: SOURCE.indexOf(text),
    endOffset: SOURCE.indexOf(text) + text.length,
    count: 0,
  }));
  return executed([{ ranges: [{ startOffset: 0, endOffset: SOURCE.length, count: 1 }, ...ranges] }]);
}

const NEVER_CALLED = SOURCE.slice(SOURCE.indexOf("function two"));

describe("places that no run reached", () => {
  it("are the lines with code that was not executed, comments left out", () => {
    const places = placesOf("a.ts", SOURCE, charactersWithout("return two();", NEVER_CALLED));
    expect(places.map(({ line, lines, text }) => [line, lines, text])).toEqual([
      [3, 1, "if (x > 1) return two();"],
      [6, 1, "function two() {"],
      [8, 1, "return 2;"],
    ]);
  });

  it("disappear once another run reaches them", () => {
    const reached = new Reached();
    reached.add("a.ts", charactersWithout("return two();"));
    expect(reached.add("a.ts", charactersWithout("return 1;"))).toHaveLength(1);
    expect(reached.add("a.ts", charactersWithout("return 1;"))).toEqual([]);
    expect(placesOf("a.ts", SOURCE, reached.of("a.ts"))).toEqual([]);
  });

  it("are a whole file if it was never loaded, unless it has nothing but types", () => {
    expect(placesOf("a.ts", SOURCE, undefined)).toMatchObject([{ line: 1, lines: 9, text: "never loaded" }]);
    expect(placesOf("a.ts", "export interface A {}\n", undefined)).toEqual([]);
  });

  it("have a reason by file and beginning of text, and a reason that fits none is stale", () => {
    const places = placesOf("a/b.ts", SOURCE, charactersWithout("return two();", NEVER_CALLED));
    const one = { file: "a/b.ts", text: "return 2", why: "never called" };
    const old = { file: "a/b.ts", text: "return 3;", why: "was here once" };
    const all = { file: "a/", why: "of this directory" };
    const sources = new Map([["a/b.ts", SOURCE]]);
    expect(explain(places, [one, old], sources)).toMatchObject({ unexplained: [{ line: 3 }, { line: 6 }], stale: [old] });
    expect(explain(places, [one, all], sources)).toMatchObject({ unexplained: [], stale: [] });
    expect([[one, all], [one, all, old], [one]].map((reasons) => isComplete(explain(places, reasons, sources)))).toEqual([
      true,
      false,
      false,
    ]);
    // Some runs reach rare code, and others do not; but the code must be there.
    const rare = { ...old, text: "return 1;", why: `${RARE}seldom here` };
    expect(explain(places, [rare], sources)).toMatchObject({ stale: [] });
    expect(explain(places, [{ ...rare, text: "return 3;" }], sources)).toMatchObject({ stale: [{ text: "return 3;" }] });
  });

  it("have reasons that fit lines and files which exist", () => {
    expect(goneFrom(REASONS, sourcesInScope())).toEqual([]);
    const gone = [
      { file: "src/p2p/none/", why: "" },
      { file: "src/reconciler/decide.ts", text: "none", why: RARE },
    ];
    expect(goneFrom(gone, sourcesInScope())).toEqual(gone);
  });
});

describe("steering", () => {
  const reach = [{ file: "a.ts", spans: [[0, 5]] as const }];

  it("gives kinds more weight if their worlds reached new code first, and forgets it over time", () => {
    const steering = new Steering();
    const rans = [
      { seed: 9, drawing: { size: "small", mix: ["purge"] }, reach },
      { seed: 3, drawing: { size: "small", mix: ["crash", "stall"] }, reach },
    ] as const;
    expect(steering.learn(rans)).toBe(1);
    expect(["crash", "stall", "purge"].map((kind) => steering.weight(kind as "crash"))).toEqual([0.5, 0.5, 0]);
    expect(steering.learn([])).toBe(0);
    expect(steering.weight("crash")).toBe(0.25);
  });

  it("changes the draw of a seed, which is otherwise always the same", () => {
    const [steering, other] = [new Steering(), new Steering()];
    const mixes = () => Array.from({ length: 20 }, (_, seed) => steering.drawingOf(seed + 101).mix);
    const before = mixes();
    expect(Array.from({ length: 20 }, (_, seed) => other.drawingOf(seed + 101).mix)).toEqual(before);
    // Every twentieth world is large, and has all kinds of faults.
    expect(before.filter((mix) => mix === undefined)).toHaveLength(1);
    steering.learn([{ seed: 1, drawing: { size: "small", mix: ["purge"] }, reach }]);
    expect(mixes()).not.toEqual(before);
    expect(
      mixes()
        .flat()
        .filter((kind) => kind === "purge").length,
    ).toBeGreaterThanOrEqual(before.flat().filter((kind) => kind === "purge").length);
  });
});
