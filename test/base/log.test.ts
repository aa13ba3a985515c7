import { expect, test } from "vitest";
import { humanLine } from "../../src/base/log.ts";

const line = (fields: object) => JSON.stringify({ level: "warn", time: "2026-01-01T14:03:07.123Z", ...fields });

test("a line for people has the time, the level, the message and then the fields", () => {
  expect(humanLine(line({ peerId: "12D3", reason: "no answer", attempts: 3, msg: "could not open" }), false)).toBe(
    '14:03:07.123 warn  could not open peerId=12D3 reason="no answer" attempts=3',
  );
});

test("what strangers sent cannot steer the terminal", () => {
  const shown = humanLine(line({ name: "a\u001b[2J", other: "a b\u0007", msg: "x\u001b]0;y\u0007" }), false);
  expect(shown).not.toMatch(/\p{Cc}/u);
  expect(shown).toContain("name=a\\u001b[2J");
});

test("colour is for terminals, and a line that is no JSON stays as it is", () => {
  expect(humanLine(line({ msg: "m" }), true)).toContain("\u001b[33mwarn ");
  expect(humanLine("plain text\n", false)).toBe("plain text");
});
