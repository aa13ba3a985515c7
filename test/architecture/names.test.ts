/** One name, one meaning: docs/GLOSSARY.md defines the terms. */
import { expect, test } from "vitest";
import { sourceFiles } from "./source-tree.ts";

const EXPORTED = /^export (?:declare |abstract |async )*(?:class|interface|type|const|let|function\*?) (\w+)/gm;

test("no two files export the same name", () => {
  const exporters = new Map<string, string[]>();
  for (const { path, text } of sourceFiles)
    for (const name of new Set([...text.matchAll(EXPORTED)].map(([, found = ""]) => found)))
      exporters.set(name, [...(exporters.get(name) ?? []), path]);
  const shared = [...exporters].filter(([, paths]) => paths.length > 1).map(([name, paths]) => `${name}: ${paths.join(", ")}`);
  expect(shared).toEqual([]);
});
