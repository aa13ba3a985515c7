/** The kept seeds: one folder for each target, and in its `found/` the inputs that once failed. */

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";

export const SEEDS = join(import.meta.dirname, "../seeds");

export interface Seed {
  /** Relative to the current directory. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** The seeds of the target, in the order of their paths. Throws if there are none. */
export function seedsOf(directory: string, target: string): readonly Seed[] {
  const folder = join(directory, target);
  const files = existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : [];
  const paths = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
  if (paths.length === 0) throw new Error(`${folder} has no seeds`);
  return paths.sort().map((path) => ({ path: relative(process.cwd(), path), bytes: new Uint8Array(readFileSync(path)) }));
}

/** Keeps an input that failed, and returns its path. */
export function keepFound(directory: string, target: string, input: Uint8Array): string {
  const folder = join(directory, target, "found");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, createHash("sha256").update(input).digest("hex").slice(0, 12));
  writeFileSync(path, input);
  return relative(process.cwd(), path);
}
