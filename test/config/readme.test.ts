/** The README lists every setting as the schema has it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Leaf, leaves } from "../../src/config/leaves.ts";

const README = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8");

function row({ path, env, preset, description }: Leaf): string {
  const shown = preset === undefined ? "" : path === "name" ? preset : `\`${preset}\``;
  return `| \`${path}\` | \`${env}\` | ${shown} | ${description} |`;
}

test("the README's table of settings is the schema's", () => {
  const table = README.split("\n").filter((line) => line.includes("OCPARTNERD_"));
  expect(table).toEqual(leaves.map(row));
});
