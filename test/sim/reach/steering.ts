/**
 * Steers which faults small worlds draw: kinds whose worlds reached new code in an epoch are drawn more often in the next. Some worlds
 * are large: they reach code that needs many peers or a long time. Deterministic: the code that a world reaches counts for the lowest
 * seed that reached it, whichever thread ran it first.
 */
import { FAULT_KINDS, type FaultKind } from "../worlds/faults.ts";
import type { Drawing } from "../worlds/generate.ts";
import { drawMix } from "../worlds/small.ts";
import { type Reach, Reached } from "./reached.ts";

/** One in this many worlds is large: it takes as long as ten small ones. */
const LARGE_EVERY = 20;

/** Large worlds that reach code which few others do. */
const LARGE_SEEDS: ReadonlySet<number> = new Set([1, 2, 5, 12, 21, 58]);

/** How much of its extra weight a kind keeps from one epoch to the next. */
const KEPT = 0.5;

/** A world that was run, and what it was the first in its thread to reach. */
export interface Ran {
  readonly seed: number;
  readonly drawing: Drawing;
  readonly reach: Reach;
}

export class Steering {
  readonly reached = new Reached();
  readonly #extra = new Map<FaultKind, number>();

  /** How the world of this seed is drawn in the current epoch. */
  drawingOf(seed: number): Drawing {
    if (seed % LARGE_EVERY === 0 || LARGE_SEEDS.has(seed)) return { size: "large" };
    return { size: "small", mix: drawMix(seed, (kind) => 1 + this.weight(kind)) };
  }

  /** A kind's extra weight; 0 at first. */
  weight(kind: FaultKind): number {
    return this.#extra.get(kind) ?? 0;
  }

  /** Ends an epoch, in which these worlds were run. Returns how many spans of code were new. */
  learn(rans: readonly Ran[]): number {
    for (const kind of FAULT_KINDS) this.#extra.set(kind, this.weight(kind) * KEPT);
    let total = 0;
    for (const { drawing, reach } of [...rans].sort((one, other) => one.seed - other.seed)) {
      const fresh = this.reached.addAll(reach);
      total += fresh;
      const { mix = [] } = drawing;
      for (const kind of mix) this.#extra.set(kind, this.weight(kind) + fresh / mix.length);
    }
    return total;
  }
}
