/** Fixtures, which people exchange. */
import { messageOfLine } from "../../../src/fixture/format/message.ts";
import { formatFixture, lineNumbers, parseFixture } from "../../../src/fixture/format/parse.ts";
import type { Fixture } from "../../../src/fixture/format/schema.ts";
import { redactFixture } from "../../../src/fixture/redact/redact.ts";
import { anyFixture } from "../../fixture/arbitrary.ts";
import { outcomeOf, promise, promiseSame, type Target } from "../target.ts";

export const fixture: Target = {
  name: "fixture",
  what: "src/fixture/format/, src/fixture/redact/",
  isJson: true,
  arbitrary: anyFixture.map((each) => Buffer.from(formatFixture(each))),
  run(input) {
    const text = Buffer.from(input).toString();
    const outcome = outcomeOf(() => parseFixture(text, "f"));
    if ("error" in outcome) {
      const { code, message } = outcome.error;
      promise(code === "fixture_invalid" && /(^|\n {2})f:/.test(message), "a problem has its code and place", [code, message]);
      return;
    }
    const parsed = outcome.value;
    promiseSame(parseFixture(formatFixture(parsed), "f"), parsed, "what is formatted is parsed");
    const numbers = lineNumbers(text);
    promise(numbers.length === parsed.lines.length, "each line has its number");
    for (const line of parsed.lines) if ("publish" in line || "message" in line) messageOfLine(line, null);
    checkRedacted(parsed, numbers);
  },
};

function checkRedacted(parsed: Fixture, numbers: readonly number[]): void {
  const redacted = outcomeOf(() => redactFixture(parsed, { name: "f", numbers }));
  if ("error" in redacted) promise(redacted.error.code === "fixture_invalid", "the code is documented", redacted.error.code);
  else {
    const text = formatFixture(parseFixture(formatFixture(redacted.value), "f"));
    promiseSame(formatFixture(parseFixture(text, "f")), text, "a redacted fixture stays the same");
  }
}
