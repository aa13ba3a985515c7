/** Small rooms: what fits on a screen can be read at once. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { SRC, sourceFiles } from "./source-tree.ts";

const MAX_FILE_LINES = 300;
const MAX_FILES_IN_FOLDER = 12;
const MAX_FUNCTION_LINES = 70;

/** Functions that are still longer. This list only shrinks: a function that was shortened must leave it. */
const LONG_FUNCTIONS: readonly string[] = [];

test(`no file is longer than ${MAX_FILE_LINES} lines`, () => {
  const long = sourceFiles.filter(({ text }) => text.split("\n").length > MAX_FILE_LINES).map(({ path }) => path);
  expect(long).toEqual([]);
});

test(`no folder holds more than ${MAX_FILES_IN_FOLDER} files`, () => {
  const folders = Map.groupBy(sourceFiles, ({ folder }) => folder);
  expect([...folders].filter(([, files]) => files.length > MAX_FILES_IN_FOLDER).map(([folder]) => folder)).toEqual([]);
});

test(`no function is longer than ${MAX_FUNCTION_LINES} lines, except those listed`, () => {
  expect(longFunctions()).toEqual([...LONG_FUNCTIONS].sort());
});

interface Diagnostic {
  readonly message: string;
  readonly filename: string;
}

/** `path: name`, sorted. oxlint has the parser. */
function longFunctions(): readonly string[] {
  const directory = mkdtempSync(join(tmpdir(), "oc-partnerd-size-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const config = join(directory, "oxlint.json");
  const rule = ["error", { max: MAX_FUNCTION_LINES, skipBlankLines: false, skipComments: false }];
  writeFileSync(config, JSON.stringify({ categories: { correctness: "off" }, rules: { "max-lines-per-function": rule } }));
  const oxlint = join(SRC, "../node_modules/.bin/oxlint");
  const { stdout } = spawnSync(oxlint, ["--config", config, "--format", "json", "src"], {
    cwd: join(SRC, ".."),
    encoding: "utf8",
  });
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: readonly Diagnostic[] };
  return diagnostics.map(({ filename, message }) => `${filename.replace(/^src\//, "")}: ${message.split(" has ")[0]}`).sort();
}
