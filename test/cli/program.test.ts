/** `oc-partnerd NAME` is in src/cli/<group>/NAME.ts. */
import { expect, test } from "vitest";
import { sourceFiles } from "../architecture/source-tree.ts";

const COMMAND = /^export function (\w+)Command\(.*\n {2}return new Command\("([\w-]+)"\)$/m;

const commands = sourceFiles
  .filter(({ path }) => path.startsWith("cli/") && path !== "cli/program.ts")
  .flatMap(({ path, text }) => {
    const [, exported, name] = COMMAND.exec(text) ?? [];
    return text.includes("new Command(") ? [{ path, exported, name }] : [];
  });

test.each(commands)("$path is named after its command, and listed in program.ts", ({ path, exported, name }) => {
  expect(path).toMatch(new RegExp(`^cli/\\w+/${name}\\.ts$`));
  expect(exported).toBe(name);
  expect(sourceFiles.find((source) => source.path === "cli/program.ts")?.text).toContain(`\n  ${exported}Command,\n`);
});

test("there are twenty commands", () => expect(commands).toHaveLength(20));
