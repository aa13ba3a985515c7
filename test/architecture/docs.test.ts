/** docs/ARCHITECTURE.md and docs/GLOSSARY.md name files and names that exist. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { SRC, sourceFiles } from "./source-tree.ts";

const ROOT = join(SRC, "..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const quoted = (text: string): readonly string[] => [...text.matchAll(/`([^`\n]+)`/g)].map(([, found = ""]) => found);

test("every file and folder that docs/ARCHITECTURE.md names exists", () => {
  const paths = quoted(read("docs/ARCHITECTURE.md")).filter((text) => /^[\w./-]+(\.ts|\/)$/.test(text) && text.includes("/"));
  expect(paths.length).toBeGreaterThan(40);
  const places = [ROOT, SRC, join(ROOT, "test")];
  const exists = (path: string) => places.some((place) => existsSync(join(place, path))) || isInRoom(path);
  expect(paths.filter((path) => !exists(path))).toEqual([]);
});

/** The tables name a room's own rooms without it. */
function isInRoom(path: string): boolean {
  return sourceFiles.some(({ folder }) => `${folder}/`.endsWith(`/${path}`));
}

interface Term {
  readonly term: string;
  readonly names: readonly string[];
  /** Names that the term replaced. */
  readonly retired: readonly string[];
}

const terms: readonly Term[] = read("docs/GLOSSARY.md")
  .split("\n")
  .filter((line) => line.startsWith("| **"))
  .map((line) => {
    const [term = "", , names = "", retired = ""] = line.slice(1, -1).split(" | ");
    return { term: term.trim(), names: quoted(names), retired: quoted(retired) };
  });

describe("docs/GLOSSARY.md", () => {
  test("defines each term once", () => {
    expect(terms.length).toBeGreaterThan(30);
    expect(new Set(terms.map(({ term }) => term)).size).toBe(terms.length);
  });

  const views = read("migrations/0002_views.sql");
  const declared = new Set([views, ...sourceFiles.map(({ code }) => code)].flatMap((code) => code.match(/\b\w+\b/g) ?? []));
  const isName = (text: string): boolean => /^\w+$/.test(text);

  test("names only what the code has", () => {
    expect(terms.flatMap(({ names }) => names.filter((name) => isName(name) && !declared.has(name)))).toEqual([]);
  });

  test("retires names that the code no longer has", () => {
    expect(terms.flatMap(({ retired }) => retired.filter((name) => declared.has(name)))).toEqual([]);
  });
});
