/** Small rooms: what fits on a screen can be read at once. */
import { describe, expect, test } from "vitest";
import { type SourceFile, sourceFiles, treeOf } from "./source-tree.ts";

const MAX_FILE_LINES = 300;
const MAX_FILES_IN_FOLDER = 12;
const MAX_FUNCTION_LINES = 70;

/** Functions that are still longer. This list only shrinks: a function that was shortened must leave it. */
const LONG_FUNCTIONS: readonly string[] = [];

const longFiles = (files: readonly SourceFile[]): readonly string[] =>
  files.filter(({ text }) => text.split("\n").length > MAX_FILE_LINES).map(({ path }) => path);

const fullFolders = (files: readonly SourceFile[]): readonly string[] =>
  [...Map.groupBy(files, ({ folder }) => folder)]
    .filter(([, inside]) => inside.length > MAX_FILES_IN_FOLDER)
    .map(([folder]) => folder);

/** `path: name`, sorted. */
const longFunctions = (files: readonly SourceFile[]): readonly string[] =>
  files
    .flatMap(({ path, functions }) =>
      functions.filter(({ lines }) => lines > MAX_FUNCTION_LINES).map(({ name }) => `${path}: ${name}`),
    )
    .sort();

test(`no file is longer than ${MAX_FILE_LINES} lines`, () => {
  expect(longFiles(sourceFiles)).toEqual([]);
});

test(`no folder holds more than ${MAX_FILES_IN_FOLDER} files`, () => {
  expect(fullFolders(sourceFiles)).toEqual([]);
});

test(`no function is longer than ${MAX_FUNCTION_LINES} lines, except those listed`, () => {
  expect(longFunctions(sourceFiles)).toEqual([...LONG_FUNCTIONS].sort());
});

describe("each limit", () => {
  test("of a file", () => {
    const lines = (count: number) => "\n".repeat(count - 1);
    expect(longFiles(treeOf({ "long.ts": lines(MAX_FILE_LINES + 1), "short.ts": lines(MAX_FILE_LINES) }))).toEqual(["long.ts"]);
  });

  test("of a folder, whatever its files are called", () => {
    const files = (folder: string, count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`${folder}/${index}.${index === 0 ? "mts" : "ts"}`, ""]));
    expect(fullFolders(treeOf({ ...files("a", MAX_FILES_IN_FOLDER + 1), ...files("b", MAX_FILES_IN_FOLDER) }))).toEqual(["a"]);
  });

  test.each([
    ["function one() {…}", "one"],
    ["export const one = () => {…};", "one"],
    ["const all = { one() {…} };", "one"],
    ["const all = { one: async () => {…} };", "one"],
    ["class All { one() {…} }", "one"],
    ["class All { get one() {…} }", "one"],
    ["class All { #one = () => {…}; }", "#one"],
    ["class All { constructor() {…} }", "All"],
    ["class All { static {…} }", "All"],
    ["/* oxlint-disable max-lines-per-function */ function one() {…}", "one"],
    ["// oxlint-disable-next-line\nfunction one() {…}", "one"],
    ["(() => {…})();", "(anonymous)"],
    ["(function one() {…})();", "one"],
    ["void (async () => {…})();", "(anonymous)"],
    ["all.map((item) => {…});", "(anonymous)"],
    ["function outer() { return () => {…}; }", "(anonymous)"],
  ])("of a function: %s", (snippet, name) => {
    const body = (lines: number) => `{${"\n".repeat(lines - 1)}}`;
    const long = longFunctions(treeOf({ "a.ts": snippet.replace("{…}", body(MAX_FUNCTION_LINES + 1)) }));
    expect(long).toContain(`a.ts: ${name}`);
    expect(longFunctions(treeOf({ "a.ts": snippet.replace("{…}", body(MAX_FUNCTION_LINES)) }))).toEqual([]);
  });
});
