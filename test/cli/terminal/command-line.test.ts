/** Help and next steps can be copied: the program as it was started, with the flags that say which daemon is meant. */
import { describe, expect, test } from "vitest";
import { programOf } from "../../../src/cli/program.ts";
import { asStarted, nextStepFor, PLACE_FLAGS } from "../../../src/cli/terminal/command-line.ts";
import { checkOptions } from "../../../src/cli/terminal/usage.ts";
import { sourceFiles } from "../../architecture/source-tree.ts";
import { temporaryFiles } from "../commands.ts";

const { directory, written } = temporaryFiles();

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
    ["`oc-partnerd identity accept`", "run --identity-file k.key", "`oc-partnerd identity accept --identity-file k.key`"],
    ["`oc-partnerd identity rotate`", "run --identity-file k.key --data d", "`oc-partnerd identity rotate --data d`"],
    ["run the oc-partnerd that wrote it", "run --data d", "run the oc-partnerd that wrote it"],
  ])("%s, after %s", (text, line, expected) => {
    expect(nextStepFor(text, line.split(" "))).toBe(expected);
  });

  test("and a database file only if the command takes one", () => {
    const [own, copy] = ["oc-partnerd.db", "copy.db"].map((name) => written("", name));
    const steps = "`oc-partnerd check` and `oc-partnerd restore --from FILE`";
    const stepsOf = (data: string) => nextStepFor(steps, ["export", "--data", data]);
    expect(stepsOf(own ?? "")).toBe(
      `\`oc-partnerd check --data ${own}\` and \`oc-partnerd restore --from FILE --data ${directory}\``,
    );
    expect(stepsOf(copy ?? "")).toBe(`\`oc-partnerd check --data ${copy}\` and \`oc-partnerd restore --from FILE --data DIR\``);
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
    const having = commands
      .filter(({ options }) => options.some(({ long, required }) => long === flag && required))
      .map((command) => command.name());
    expect(having.toSorted(), flag).toEqual(named.toSorted());
  }
});

describe("a command in a text of the program works if it is typed", () => {
  const { commands } = programOf({});
  const texts = sourceFiles.map(({ code }) => code).join("\n");
  const named = [...texts.matchAll(/\\?`oc-partnerd ([a-z]+)([^`\\]*)/g)].map(([, name, rest]) => `${name}${rest}`);

  test.each([...new Set(named)])("%s", (line) => {
    const [name = "", ...words] = line.replaceAll(/\$\{[^}]*\}/g, "X").split(" ");
    const command = commands.find((each) => each.name() === name);
    expect(command, name).toBeDefined();
    if (command === undefined || words.includes("--help")) return;
    checkOptions(command, name, words);
    const given = (flag: string | undefined) => words.some((word) => word === flag);
    for (const { long, mandatory } of command.options) if (mandatory) expect(given(long), long ?? "").toBe(true);
    const needed = command.registeredArguments.filter(({ required }) => required).length;
    expect(words.filter((word) => !word.startsWith("-")).length).toBeGreaterThanOrEqual(needed);
    if (name === "restore") expect(given("--from") || given("--from-jetstream")).toBe(true);
  });
});

test("the name of the program is not confused with paths and variables", () => {
  const line = "oc-partnerd export --data /var/lib/oc-partnerd | oc-partnerd redact --out oc-partnerd-1.jsonl";
  expect(asStarted(line)).toBe(line);
});

const TOKEN = "8Jd0fKq3ZtW5xRb1LmVn6YcH";
const UUID = "3f2a9c0d-1234-4c1b-9d0e-aabbccddeeff";
const HASH = "c0ffee5ec2e7".repeat(5).concat("beef");

describe("a command repeats a value that works when copied, or leaves out the flag", () => {
  test.each([
    ["--data", "/srv/a1b2c3d4e5f6/oc", "/srv/a1b2c3d4e5f6/oc"],
    ["--data", `/var/lib/docker/volumes/${HASH}/_data`, `/var/lib/docker/volumes/${HASH}/_data`],
    ["--data", `/${HASH}/oc`, `/${HASH}/oc`],
    ["--data", "/srv/a:b@c", "/srv/a:b@c"],
    ["--data", "oc", "oc"],
    ["--data", TOKEN, undefined],
    ["--config", `./${UUID}.json`, `./${UUID}.json`],
    ["--http", `unix:/var/lib/kubelet/pods/${UUID}/volumes/http.sock`, `unix:/var/lib/kubelet/pods/${UUID}/volumes/http.sock`],
    ["--http", "3f2a9c0d1b7e:4012", "3f2a9c0d1b7e:4012"],
    ["--http", "s3cret@127.0.0.1:4012", "127.0.0.1:4012"],
    ["--nats", "nats://anna:s3cret@host:4222", "nats://host:4222"],
    ["--nats", "s3cret@host:4222", "host:4222"],
    ["--nats", "nats://anna:s3cret", undefined],
    ["--nats", TOKEN, undefined],
    ["--nats", "one:4222,two:4222", "one:4222,two:4222"],
  ])("%s %s: %s", (flag, given, repeated) => {
    const command = flag === "--nats" ? "setup" : "run";
    const expected = repeated === undefined ? "" : ` ${flag} ${repeated}`;
    for (const words of [[flag, given], [`${flag}=${given}`]])
      expect(nextStepFor(`\`oc-partnerd ${command}\``, ["status", ...words])).toBe(`\`oc-partnerd ${command}${expected}\``);
  });

  test("the name of a token file, but not a token", () => {
    const suggested = (file: string) => nextStepFor("`oc-partnerd peers`", ["status", "--token-file", file]);
    expect(suggested("/etc/oc/read.token")).toBe("`oc-partnerd peers --token-file /etc/oc/read.token`");
    expect(suggested(TOKEN)).toBe("`oc-partnerd peers`");
  });
});
