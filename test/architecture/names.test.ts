/** One name, one meaning: docs/GLOSSARY.md defines the terms. */
import { expect, test } from "vitest";
import { sourceFiles } from "./source-tree.ts";

const EXPORTED = /^export (?:declare |abstract |async )*(?:class|interface|type|const|let|function\*?) (\w+)/gm;
/** Types that a file keeps to itself. */
const OWN_TYPE = /^(?:declare |abstract )*(?:class|interface|type) (\w+)/gm;

test("no two files export the same name", () => {
  const exporters = new Map<string, string[]>();
  for (const { path, text } of sourceFiles)
    for (const name of new Set(namesIn(text, EXPORTED))) exporters.set(name, [...(exporters.get(name) ?? []), path]);
  const shared = [...exporters].filter(([, paths]) => paths.length > 1).map(([name, paths]) => `${name}: ${paths.join(", ")}`);
  expect(shared).toEqual([]);
});

test("no file has a type of its own with the name of one that another file exports", () => {
  const exported = new Map(sourceFiles.flatMap(({ path, text }) => namesIn(text, EXPORTED).map((name) => [name, path] as const)));
  const shared = sourceFiles.flatMap(({ path, text }) =>
    namesIn(text, OWN_TYPE)
      .filter((name) => exported.has(name))
      .map((name) => `${name}: ${path}, exported by ${exported.get(name)}`),
  );
  expect(shared).toEqual([]);
});

function namesIn(text: string, pattern: RegExp): readonly string[] {
  return [...text.matchAll(pattern)].map(([, name = ""]) => name);
}
