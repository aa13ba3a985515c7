import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { findMutants, mutatedText } from "../mutants.ts";
import { OPERATORS } from "./site.ts";

/** The mutants of a snippet, each as `operator: change`. */
function changesOf(text: string): readonly string[] {
  const source = { path: "src/store/snippet.ts", text };
  return findMutants([source], [source]).flatMap(({ placed }) =>
    placed.map(({ mutant: { operator, change } }) => `${operator}: ${change}`),
  );
}

describe("the operators", () => {
  test.each([
    ["this.#wake(key);", ["dropped-wake: wake dropped"]],
    ["this.#onChange?.(key);", ["dropped-wake: wake dropped"]],
    ["controller.abort();", ["missing-abort: abort dropped"]],
    ["signal.throwIfAborted();", ["missing-abort: abort dropped"]],
    ["const x = open(key, signal);", ["missing-abort: a signal that never aborts"]],
    ["const x = open({ signal });", ["missing-abort: a signal that never aborts"]],
    ["const x = open({ signal: this.#signal });", ["missing-abort: a signal that never aborts"]],
    ['type Why = "cut" | "gone"; leave("gone");', ["removed-call: call removed", 'swapped-reason: "gone" becomes "cut"']],
    ["fsyncSync(fd);", ["skipped-fsync: fsync skipped"]],
    ["syncToDisk(directory);", ["skipped-fsync: fsync skipped"]],
    ["this.#timer?.handle[Symbol.dispose]();", ["forgotten-close: close forgotten"]],
    ["this.#keys.delete(key);", ["forgotten-close: close forgotten"]],
    ["{ using file = open(); }", ["forgotten-close: using becomes const"]],
    ["{ await using file = open(); }", ["forgotten-close: await using becomes const"]],
    ["await append();", ["removed-call: call removed", "lost-await: await becomes void"]],
    ["const x = a < b;", ["boundary: < becomes <="]],
    ["const x = a >= b;", ["boundary: >= becomes >"]],
    ["const x = a === b;", ["equality: === becomes !=="]],
    ["const x = a && b;", ["logical: && becomes ||"]],
    ["if (a.b) c = d;", ["negated-condition: condition negated"]],
    ["const x = a ? b : c;", ["negated-condition: condition negated"]],
    ["const MOST = 4;", ["off-by-one: 4 becomes 5"]],
    ["function f(): void { a = b; c = d; }", ["early-return: returns at once"]],
    ["class C { async f(): Promise<void> { a = b; } }", ["early-return: returns at once"]],
    ["try { a = b; } finally { c = d; e = f; }", ["swallowed-finally: finally skipped"]],
  ])("change %s", (text, changes) => {
    expect(changesOf(text)).toEqual(changes);
  });

  test("are all shown by an example here", () => {
    expect(OPERATORS.length).toBe(14);
  });

  test.each([
    ["a log call", 'this.#log.warn({ count: a === b }, "gone");'],
    ["text for people", "const x = `$" + "{count === 1 ? 'row' : 'rows'}`;"],
    ["the words of an error", 'throw new PartnerdError(code, a === b ? "x" : "y");'],
    ["a type", 'type Why = "cut" | "gone"; let x: "cut" = y as "gone";'],
    ["a key", 'type Why = "cut" | "gone"; const x = { cut: y };'],
    ["a duration", "const GRACE_MS = 5 * 60;"],
    ["a large limit", "const MOST = 4_096;"],
    ["a signal that never aborts", "const x = open(new AbortController().signal);"],
    ["an import", 'import x from "cut";'],
    ["a function that returns something", "function f(): number { return a; }"],
  ])("leave %s alone", (_, text) => {
    expect(changesOf(text)).toEqual([]);
  });
});

/** Runs `text`, which sets `out.result`, with each mutant, and without any (`none`). */
function resultsOf(text: string): Readonly<Record<string, unknown>> {
  const [found] = findMutants([{ path: "snippet.ts", text }], []);
  if (found === undefined) throw new Error("no file");
  const mutants = found.placed.map(({ mutant }) => mutant);
  const code = mutatedText(found, new Set(mutants.map(({ id }) => id)), "switch.ts").replace(/^import .*?; /, "");
  const run = (active: number): unknown => {
    const out: { result?: unknown } = {};
    runInNewContext(code, { $mutant: (id: number) => id === active, out });
    return out.result;
  };
  return Object.fromEntries([["none", run(-1)], ...mutants.map(({ id, change }) => [change, run(id)])]) as Record<
    string,
    unknown
  >;
}

describe("a file with all of its mutants", () => {
  test("behaves as before while none is active, and as the mutant while one is, also inside another", () => {
    expect(resultsOf("const a = [1000, 2000].filter((x) => x > 1000 && x <= 2000); out.result = a;")).toEqual({
      none: [2000],
      "> becomes >=": [1000, 2000],
      "<= becomes <": [],
      "&& becomes ||": [1000, 2000],
    });
  });

  test("keeps an else with its if", () => {
    const text = "const log = []; if (a()) log.push(1000); else log.push(2000); out.result = log; function a() { return false; }";
    expect(resultsOf(text)).toEqual({ none: [2000], "condition negated": [1000], "call removed": [] });
  });

  test("disposes what is declared with `using` at the end of the block, or not", () => {
    const text =
      "const log = []; { using file = { [Symbol.dispose]() { log[log.length] = 'closed'; } }; log[log.length] = 'used'; } out.result = log;";
    expect(resultsOf(text)).toEqual({ none: ["used", "closed"], "using becomes const": ["used"] });
  });

  test("skips a finally block", () => {
    const text = "let n = 1000; try { n *= 2000; } finally { n *= 3000; n *= 4000; } out.result = n;";
    expect(resultsOf(text)).toEqual({ none: 24e12, "finally skipped": 2e6 });
  });

  test("imports the switch, and only if there is a mutant in it", () => {
    const [found] = findMutants([{ path: "src/a/b.ts", text: "const x = a < b;" }], []);
    if (found === undefined) throw new Error("no file");
    expect(mutatedText(found, new Set([0]), "src/switch.ts")).toBe(
      'import { $mutant } from "../../src/switch.ts"; const x = ($mutant(0) ? (a <= b) : (a < b));',
    );
    expect(mutatedText(found, new Set(), "src/switch.ts")).toBe("const x = a < b;");
  });
});
