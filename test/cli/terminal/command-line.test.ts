/** Help and next steps can be copied: the program as it was started, with the flags that say which daemon is meant. */
import { describe, expect, test } from "vitest";
import { programOf } from "../../../src/cli/program.ts";
import { asStarted, nextStepFor, PLACE_FLAGS } from "../../../src/cli/terminal/command-line.ts";

describe("a next step gets the place flags of the command line", () => {
  test.each([
    [
      "run `oc-partnerd peers --as-of 4 --json`",
      "peers X --as-of 4 --data /tmp/a",
      "run `oc-partnerd peers --as-of 4 --json --data /tmp/a`",
    ],
    [
      "run `oc-partnerd check` or `oc-partnerd restore`",
      "run --data=/tmp/a --nats n",
      "run `oc-partnerd check --data /tmp/a` or `oc-partnerd restore --data /tmp/a`",
    ],
    ["start it with `oc-partnerd run`", "status --http [::1]:9", "start it with `oc-partnerd run --http '[::1]:9'`"],
    ["see `oc-partnerd export --help`", "export --config c.json", "see `oc-partnerd export --help`"],
    ["see `oc-partnerd replay`", "shrink --config c.json", "see `oc-partnerd replay`"],
    ["run `oc-partnerd unarchive FILE --data DIR`", "unarchive --data d", "run `oc-partnerd unarchive FILE --data DIR`"],
    ["run the oc-partnerd that wrote it", "run --data d", "run the oc-partnerd that wrote it"],
  ])("%s, after %s", (text, line, expected) => {
    expect(nextStepFor(text, line.split(" "))).toBe(expected);
  });

  test("quoted for a shell", () => {
    expect(nextStepFor("`oc-partnerd check`", ["check", "--data", "it's here"])).toBe(
      "`oc-partnerd check --data 'it'\\''s here'`",
    );
  });
});

test("the place flags are those of the commands", () => {
  const { commands } = programOf({});
  for (const [flag, named] of Object.entries(PLACE_FLAGS)) {
    const having = commands.filter(({ options }) => options.some(({ long }) => long === flag)).map((command) => command.name());
    expect(having.toSorted(), flag).toEqual(named.toSorted());
  }
});

test("the name of the program is not confused with paths and variables", () => {
  const line = "oc-partnerd export --data /var/lib/oc-partnerd | oc-partnerd redact --out oc-partnerd-1.jsonl";
  expect(asStarted(line)).toBe(line);
});

test("a next step repeats the server that was given without its credentials", () => {
  for (const given of [["--nats", "nats://anna:s3cret@host:4222"], ["--nats=nats://anna:s3cret@host:4222"]]) {
    const text = nextStepFor("run `oc-partnerd setup`", ["publish", ...given]);
    expect(text).toContain("--nats 'nats://***@host:4222'`");
    expect(text).not.toContain("s3cret");
  }
});
