/** One name, one meaning: docs/GLOSSARY.md defines the terms. */
import { describe, expect, test } from "vitest";
import { type SourceFile, sourceFiles, treeOf } from "./source-tree.ts";

/** As `name: files`. */
function exportedTwice(files: readonly SourceFile[]): readonly string[] {
  const exports = files.flatMap(({ path, exports }) => [...new Set(exports)].map((name) => ({ name, path })));
  return [...Map.groupBy(exports, ({ name }) => name)]
    .filter(([, exporters]) => exporters.length > 1)
    .map(([name, exporters]) => `${name}: ${exporters.map(({ path }) => path).join(", ")}`);
}

function ownAndExported(files: readonly SourceFile[]): readonly string[] {
  const exported = new Map(files.flatMap(({ path, exports }) => exports.map((name) => [name, path] as const)));
  return files.flatMap(({ path, ownTypes }) =>
    ownTypes.filter((name) => exported.has(name)).map((name) => `${name}: ${path}, exported by ${exported.get(name)}`),
  );
}

const nameless = (files: readonly SourceFile[]): readonly string[] =>
  files.flatMap(({ path, exports }) =>
    exports.filter((name) => ["default", "*"].includes(name)).map((name) => `${path}: ${name}`),
  );

test("no two files export the same name", () => {
  expect(exportedTwice(sourceFiles)).toEqual([]);
});

test("no file has a type of its own with the name of one that another file exports", () => {
  expect(ownAndExported(sourceFiles)).toEqual([]);
});

test("every export has a name", () => {
  expect(nameless(sourceFiles)).toEqual([]);
});

describe("an export is seen", () => {
  test.each([
    "export const Place = 1;",
    "export const { Place, other } = found;",
    "export const { there: { Place = 1 } } = found;",
    "export const [, { ...Place }] = found;",
    "export let one = 1, Place = 2;",
    "export function Place() {}",
    "export async function* Place() {}",
    "export abstract class Place {}",
    "export declare class Place {}",
    "export interface Place {}",
    "export type Place = 1;",
    "export /* now */\n  type Place = 1;",
    "export enum Place {}",
    "export namespace Place {}",
    "interface Place {}\nexport { Place };",
    "interface Place {}\nexport type { Place };",
    "interface Spot {}\nexport { type Spot as Place };",
    'export { Spot as Place } from "a-package";',
    'export * as Place from "a-package";',
  ])("%s", (snippet) => {
    expect(exportedTwice(treeOf({ "a.ts": snippet, "b.ts": "export interface Place {}" }))).toEqual(["Place: a.ts, b.ts"]);
  });

  test.each(["export default 1;", "export default class Place {}", 'export * from "a-package";', "export = {};"])(
    "and has no name: %s",
    (snippet) => {
      expect(nameless(treeOf({ "a.ts": snippet }))).toHaveLength(1);
    },
  );
});

test.each([
  "type Place = 1;",
  "interface Place {}",
  "declare abstract class Place {}",
  "function find() {\n  interface Place {}\n}",
  "interface Place {}\nexport { Place as Spot };",
])("a type of its own is seen: %s", (snippet) => {
  const files = treeOf({ "a.ts": snippet, "b.ts": "export interface Place {}" });
  expect(ownAndExported(files)).toEqual(["Place: a.ts, exported by b.ts"]);
});
