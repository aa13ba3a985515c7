/** The lines of `probe`. */
import { describe, expect, test } from "vitest";
import { marksFor, probeClosing, probeLine } from "../../../src/cli/daemon/probe-text.ts";
import type { ProbedStep } from "../../../src/daemon/far-end-probe.ts";

const step = (mark: ProbedStep["mark"], message: string, advice: string | null = null): ProbedStep => ({
  step: "identify",
  facts: null,
  failure: null,
  mark,
  message,
  advice,
});
const WORDS = marksFor({});

describe("marks", () => {
  test.each([
    [{ LANG: "C.UTF-8" }, "√"],
    [{ LANG: "de_DE.utf8" }, "√"],
    [{ LC_ALL: "C", LANG: "C.UTF-8" }, "ok  "],
    [{ LC_ALL: "", LC_CTYPE: "en_GB.UTF-8" }, "√"],
    [{}, "ok  "],
  ])("with the locale %j: %s", (env, ok) => expect(marksFor(env).ok).toBe(ok));

  test("are plain ASCII without a UTF-8 locale", () => {
    expect(Object.values(WORDS).join("")).toMatch(/^[ -~]+$/);
  });
});

test("the advice is below its step", () => {
  expect(probeLine(step("fault", "no", "set it"), WORDS)).toBe("FAIL identify     no\n                  set it");
});

test("text of the far end cannot command the terminal, or add a line", () => {
  const line = probeLine(step("ok", "go\u001b[2J\u202e\n√ heartbeat"), WORDS);
  for (const character of ["\u001b", "\u202e", "\n"]) expect(line).not.toContain(character);
});

test("the closing line names the steps that failed", () => {
  expect(probeClosing(true, [])).toBe("\na partner stream would work");
  expect(probeClosing(false, [step("ok", ""), step("fault", "")])).toBe("\na partner stream would not work: identify");
});
