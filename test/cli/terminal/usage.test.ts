/** The help of every command, and the examples that usage errors show. */
import { describe, expect, test } from "vitest";
import { programOf } from "../../../src/cli/program.ts";
import { checkOptions, EXAMPLE_VALUES } from "../../../src/cli/terminal/usage.ts";
import { errorWith } from "../../support/matchers.ts";

const { commands } = programOf({});
const byName = new Map(commands.map((command) => [command.name(), command]));
const names = [...byName.keys()];

function helpOf(name: string): string {
  const parts: string[] = [];
  byName
    .get(name)
    ?.configureOutput({ writeOut: (part) => void parts.push(part) })
    .outputHelp();
  return parts.join("");
}

/** The words after each `oc-partnerd NAME` in the examples, without comments and redirections. */
function examplesOf(name: string): readonly { readonly command: string; readonly words: readonly string[] }[] {
  const [, examples = ""] = helpOf(name).split("\nExamples:\n");
  return examples
    .split(/\n|\||&&/)
    .map((line) => /oc-partnerd ([a-z]+)([^#>]*)/.exec(line))
    .flatMap((found) => (found === null ? [] : [{ command: found[1] ?? "", words: (found[2] ?? "").trim().split(/\s+/) }]));
}

describe("help", () => {
  test.each(names)("of %s has an example, and its examples have only options that exist", (name) => {
    const examples = examplesOf(name);
    expect(examples.map(({ command }) => command)).toContain(name);
    for (const { command, words } of examples) {
      const used = byName.get(command);
      expect(used, command).toBeDefined();
      if (used !== undefined) checkOptions(used, command, words);
    }
  });

  test.each(names)("of %s starts with a verb and does not end with a full stop", (name) => {
    expect(byName.get(name)?.description()).toMatch(
      /^(decode|run|show|list|make|publish|create|record|write|replace|reduce|find|move|rebuild) .*[^.]$/,
    );
  });

  test("does not mention that a flag is off by default", () => {
    for (const name of names) expect(helpOf(name)).not.toMatch(/default: (false|undefined)/);
  });
});

test("every option and argument with a value has an example, and no example is unused", () => {
  const options = commands.flatMap((command) => command.options.filter(({ required, optional }) => required || optional));
  const required = commands.flatMap((command) => command.registeredArguments.filter((argument) => argument.required));
  const used = new Set([...options.map(({ flags }) => flags), ...required.map((argument) => `<${argument.name()}>`)]);
  expect(Object.keys(EXAMPLE_VALUES).sort()).toEqual([...used].sort());
});

describe("checkOptions", () => {
  const check =
    (name: string, ...words: readonly string[]) =>
    () => {
      const command = byName.get(name);
      if (command !== undefined) checkOptions(command, `oc-partnerd ${name}`, words);
    };

  test.each([
    [["--nats"], /^--nats needs a value: --nats <url>, for example --nats nats:/],
    [["--nats", "--http", "x:1"], /^--nats needs a value/],
    [["--nats", "--http=x:1"], /^--nats needs a value/],
    [["--natz", "x"], /^unknown option --natz; did you mean --nats\?$/],
    [["--natz=x"], /^unknown option --natz; did you mean --nats\?$/],
    [["--something-else"], /^unknown option --something-else$/],
  ])("rejects %j", (words, message) => expect(check("run", ...words)).toThrow(errorWith("usage", message)));

  test.each([
    [["--nats", "x"]],
    [["--name", "-"]],
    [["--name", "--paris"]],
    [["--name=--nats"]],
    [["--", "--natz"]],
    [["--natz", "--help"]],
    [["-h", "--nats"]],
  ])("leaves %j to Commander", (words) => expect(check("run", ...words)).not.toThrow());
});
