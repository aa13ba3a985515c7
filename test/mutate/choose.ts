/** Which mutants run. Pure. */
import type { Mutant } from "./mutants.ts";

export interface Choice {
  /** Files and folders; empty for all. */
  readonly only: readonly string[];
  /** First and last lines by file; undefined for all. */
  readonly changed: ReadonlyMap<string, readonly (readonly [number, number])[]> | undefined;
  readonly sample: number | undefined;
  readonly seed: number;
}

export const isBelow = (path: string, places: readonly string[]): boolean =>
  places.length === 0 || places.some((place) => path === place || path.startsWith(`${place}/`));

/** In the order of their numbers. */
export function choose(mutants: readonly Mutant[], { only, changed, sample, seed }: Choice): readonly Mutant[] {
  const isChanged = ({ path, line }: Mutant) =>
    changed === undefined || (changed.get(path)?.some(([first, last]) => first <= line && line <= last) ?? false);
  const fitting = mutants.filter((mutant) => isBelow(mutant.path, only) && isChanged(mutant));
  if (sample === undefined) return fitting;
  const drawn = fitting.map((mutant) => [scatter(mutant.id, seed), mutant] as const).toSorted(([a], [b]) => a - b);
  return drawn
    .slice(0, sample)
    .map(([, mutant]) => mutant)
    .toSorted((a, b) => a.id - b.id);
}

/** A number from 0 to 2 ** 32 that looks random (the finalizer of MurmurHash3). */
function scatter(id: number, seed: number): number {
  let mixed = Math.imul(id + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
