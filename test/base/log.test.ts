import { expect, test } from "vitest";
import { createLogger, humanLine, showsColours } from "../../src/base/log.ts";

const line = (fields: object) => JSON.stringify({ level: "warn", time: "2026-01-01T14:03:07.123Z", ...fields });

test("a human-readable line has time, level, message and fields, in that order", () => {
  expect(humanLine(line({ peerId: "12D3", reason: "no answer", attempts: 3, msg: "could not open" }), false)).toBe(
    '14:03:07.123 warn  could not open peerId=12D3 reason="no answer" attempts=3',
  );
});

test("control characters in untrusted text do not reach the terminal", () => {
  const shown = humanLine(line({ name: "a\u001b[2J", other: "a b\u0007", msg: "x\u001b]0;y\u0007" }), false);
  expect(shown).not.toMatch(/\p{Cc}/u);
  expect(shown).toContain("name=a\\u001b[2J");
});

test("only terminals get colour, and text that is not JSON is unchanged", () => {
  expect(humanLine(line({ msg: "m" }), true)).toContain("\u001b[33mwarn ");
  expect(humanLine("plain text\n", false)).toBe("plain text");
});

test.each([
  [true, {}, true],
  [true, { TERM: "xterm-256color", NO_COLOR: "" }, true],
  [true, { NO_COLOR: "1" }, false],
  [true, { TERM: "dumb" }, false],
  [false, {}, false],
  [undefined, { FORCE_COLOR: "1" }, false],
])("a stream with isTTY %s in the environment %o shows colours: %s", (isTTY, env, expected) => {
  expect(showsColours({ isTTY }, env)).toBe(expected);
});

test("a JSON line of a real logger is valid, and has no character that a terminal obeys", () => {
  const name = "a\u009b2Jb\u202ec\u200b\u{e0041}\ud800\u001b[31m";
  let line = "";
  const write = (written: string) => {
    line += written;
  };
  createLogger({ level: "info", format: "json", write }).info({ name, nested: { [name]: 1 } }, "m\u0085");
  expect(line).toMatch(/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+\n$/u);
  expect(JSON.parse(line)).toMatchObject({ name, nested: { [name]: 1 }, msg: "m\u0085" });
});
