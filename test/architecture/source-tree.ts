/** The files of src/, and what each imports, exports and uses. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { exportsOf, type FunctionLength, functionsOf, ownTypesOf } from "./declarations.ts";
import { type Use, usesOf } from "./platform.ts";
import { type References, referencesOf } from "./references.ts";
import { type Look, looksIntoSentences } from "./sentences/looks.ts";
import { parse } from "./syntax.ts";

export const SRC = join(import.meta.dirname, "../../src");

export interface SourceFile extends References {
  /** Below src/, such as `p2p/host/node.ts`. */
  readonly path: string;
  readonly folder: string;
  readonly text: string;
  /** The text with its comments blanked out. */
  readonly code: string;
  readonly exports: readonly string[];
  /** The types that it does not export. */
  readonly ownTypes: readonly string[];
  readonly functions: readonly FunctionLength[];
  readonly uses: readonly Use[];
  readonly looks: readonly Look[];
}

/** Reads a tree of files: src/, or the snippets that show what a rule forbids. */
export function treeOf(texts: Readonly<Record<string, string>>): readonly SourceFile[] {
  const paths = new Set(Object.keys(texts));
  return Object.entries(texts).map(([path, text]) => {
    const syntax = parse(path, text);
    return {
      path,
      folder: dirname(path),
      text,
      code: syntax.code,
      exports: exportsOf(syntax),
      ownTypes: ownTypesOf(syntax),
      functions: functionsOf(syntax),
      uses: usesOf(syntax),
      looks: looksIntoSentences(syntax),
      ...referencesOf(path, syntax, paths),
    };
  });
}

/** Everything in src/, whatever it is called. */
export const sourcePaths: readonly string[] = readdirSync(SRC, { recursive: true, withFileTypes: true })
  .filter((entry) => !entry.isDirectory())
  .map((entry) => join(entry.parentPath, entry.name).slice(SRC.length + 1))
  .sort();

export const sourceFiles: readonly SourceFile[] = treeOf(
  Object.fromEntries(
    sourcePaths.filter((path) => /\.[cm]?[jt]s$/.test(path)).map((path) => [path, readFileSync(join(SRC, path), "utf8")]),
  ),
);
