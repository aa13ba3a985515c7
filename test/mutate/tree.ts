/** A copy of the working tree with all mutants in its source files. The real tree stays as it is. */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { Source } from "./mutants.ts";

/** The module of the switch in the copy. */
export const SWITCH_MODULE = "src/mutation-switch.ts";
const SWITCH_SOURCE = "test/mutate/runner/switch.ts";
/** Installed by the bootstrap. */
const LINKED = ["node_modules", ".tools"];
const NOT_COPIED = new Set([...LINKED, ".git"]);

/** The TypeScript files of src/, as they are on the disk. */
export function sourcesOf(root: string): readonly Source[] {
  return filesOf(root, "src")
    .filter((path) => path.endsWith(".ts"))
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

/** The files in a folder, in any depth, sorted. Needs no git, which minimal systems lack. */
export function filesOf(root: string, folder: string): readonly string[] {
  const entries = readdirSync(join(root, folder), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory());
  return files.map(({ parentPath, name }) => relative(root, join(parentPath, name))).toSorted();
}

/** The first and last lines of src/ that differ from `revision`, by file. */
export function changedLines(root: string, revision: string): ReadonlyMap<string, readonly (readonly [number, number])[]> {
  const changes = new Map<string, (readonly [number, number])[]>();
  let path = "";
  for (const line of git(root, "diff", "--unified=0", "--no-color", "--no-ext-diff", revision, "--", "src").split("\n")) {
    path = /^\+\+\+ b\/(.*)$/.exec(line)?.[1] ?? path;
    const [, start, count = "1"] = /^@@ -\S+ \+(\d+)(?:,(\d+))? @@/.exec(line) ?? [];
    if (start === undefined) continue;
    changes.set(path, [...(changes.get(path) ?? []), [Number(start), Number(start) + Number(count) - 1]]);
  }
  return changes;
}

/** Copies the tree below `root` to `copy`, which must not exist. */
export function writeTree(root: string, copy: string, mutated: readonly Source[]): void {
  mkdirSync(copy);
  for (const name of readdirSync(root))
    if (!NOT_COPIED.has(name)) cpSync(join(root, name), join(copy, name), { recursive: true, verbatimSymlinks: true });
  for (const name of LINKED) if (existsSync(join(root, name))) symlinkSync(join(root, name), join(copy, name));
  cpSync(join(root, SWITCH_SOURCE), join(copy, SWITCH_MODULE));
  for (const { path, text } of mutated) writeFileSync(join(copy, path), text);
}

function git(root: string, ...args: readonly string[]): string {
  try {
    return execFileSync("git", ["-C", root, ...args], { encoding: "utf8", maxBuffer: 2 ** 28 });
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "ENOENT") throw thrown;
    throw new Error("--changed asks git, which is not installed", { cause: thrown });
  }
}
