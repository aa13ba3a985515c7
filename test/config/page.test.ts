/** docs/CONFIGURATION.md has the settings of the schema and the flags of `run`, and its example is a valid configuration. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { withSettings } from "../../scripts/lib/settings-page.ts";
import { PartnerdError } from "../../src/base/errors.ts";
import { runCommand } from "../../src/cli/daemon/run.ts";
import { loadConfig } from "../../src/config/load.ts";
import { configSchema } from "../../src/config/schema.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../../docs/CONFIGURATION.md"), "utf8");

describe("docs/CONFIGURATION.md", () => {
  test("has the tables of the schema (`npm run docs` writes them)", () => {
    expect(PAGE).toBe(withSettings(PAGE));
  });

  test("names the flags of run, and no other", () => {
    const [, named = ""] = /the flags of `run`: `([^`]+)`/.exec(PAGE) ?? [];
    expect(named.split(" ")).toEqual(runCommand({}).options.map(({ long }) => long));
  });

  test("has an example that the schema accepts", () => {
    const [, example = ""] = /```json\n([^`]+)```/.exec(PAGE) ?? [];
    expect(configSchema.parse(JSON.parse(example))).toMatchObject({ name: "lyon-1", nats: { mode: "jetstream" } });
  });

  test("shows an unknown variable as it is reported", () => {
    const [, name = "", value, shown] =
      /^\$ (\w+)=(\w+) bin\/oc-partnerd run\noc-partnerd: ([^`]+?)\n {2}next step/m.exec(PAGE) ?? [];
    expect(problemOf(() => loadConfig({ flags: {}, env: { [name]: value }, file: undefined }))).toBe(shown);
  });
});

function problemOf(load: () => unknown): string {
  try {
    load();
  } catch (error) {
    if (error instanceof PartnerdError) return error.message;
    throw error;
  }
  throw new Error("the configuration was accepted");
}
