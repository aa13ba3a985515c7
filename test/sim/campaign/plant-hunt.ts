/** Finds, for each planted bug, the first seed that catches it and the smallest fixture that shows it. */

import type { Plant } from "../plants/plant.ts";
import type { CampaignOptions, Finding } from "./campaign.ts";
import { failureOf, overLanes, ranOf, shrinkWith } from "./campaign.ts";
import { Lane } from "./lane.ts";
import { RUNNER_INVARIANTS } from "./messages.ts";

export interface Hunted {
  readonly plant: Plant;
  readonly seedsTried: number;
  /** Null if no seed caught the bug. */
  readonly caught: Finding | null;
  /** Why the bug counts as missed; null if it was caught and its fixture is small enough. */
  readonly problem: string | null;
}

export type HuntOptions = Pick<CampaignOptions, "simulator" | "hangMs" | "seeds" | "from" | "drawing" | "workers" | "shrinkRuns">;

/** A fixture that shows a bug must fit on a screen. */
const MOST_LINES = 10;

/** How many seeds with too large a fixture to try before accepting that the bug needs one. */
const MOST_LARGER = 5;

/** A bug that breaks or hangs the simulator does not count as caught: no invariant noticed it. */
const NOT_CAUGHT: readonly string[] = [RUNNER_INVARIANTS.broken, RUNNER_INVARIANTS.hang, RUNNER_INVARIANTS.death];

export interface HuntWatch {
  onRan?(plant: Plant, seed: number): void;
  onHunted?(hunted: Hunted, done: number): void;
}

/** Results are in the order of `plants`. A lane tries the seeds for a bug in order, so the seed that catches it is reproducible. */
export async function hunt(
  plants: readonly Plant[],
  options: HuntOptions,
  watch: HuntWatch,
  signal: AbortSignal,
): Promise<readonly Hunted[]> {
  await using lanes = new AsyncDisposableStack();
  const all = Array.from({ length: Math.min(options.workers, plants.length) }, () => lanes.use(new Lane(options)));
  let done = 0;
  return await overLanes(all, plants, async (lane, plant) => {
    const hunted = await huntOne(lane, plant, options, watch, signal);
    watch.onHunted?.(hunted, ++done);
    return hunted;
  });
}

async function huntOne(lane: Lane, plant: Plant, options: HuntOptions, watch: HuntWatch, signal: AbortSignal): Promise<Hunted> {
  const { seeds, from, drawing, hangMs } = options;
  let large: Hunted | undefined;
  let larger = 0;
  for (let seed = from; seed < from + seeds; seed++) {
    const outcome = await lane.do({ kind: "run", seed, drawing, plant: plant.name, twice: false }, signal);
    if (outcome.kind === "stopped" || signal.aborted) return missed(plant, seed - from, "interrupted");
    const ran = ranOf(seed, outcome, hangMs);
    watch.onRan?.(plant, seed);
    const first = failureOf(ran, drawing);
    if (first === undefined) continue;
    const seedsTried = seed - from + 1;
    if (NOT_CAUGHT.includes(first.invariant))
      return missed(plant, seedsTried, `${first.invariant} at seed ${seed}: ${first.message}`);
    const found: Finding = { first, seeds: [seed], shrunk: null, notShrunk: null };
    const caught = await shrinkWith(lane, found, { ...options, plant: plant.name }, signal);
    const hunted = { plant, seedsTried, caught, problem: problemOf(caught) };
    // Another world may show the same bug with a smaller fixture.
    if (hunted.problem === null || ++larger === MOST_LARGER) return hunted;
    large ??= hunted;
  }
  return large ?? missed(plant, seeds, `not caught in ${seeds} seeds`);
}

function missed(plant: Plant, seedsTried: number, problem: string): Hunted {
  return { plant, seedsTried, caught: null, problem };
}

function problemOf({ shrunk, notShrunk }: Finding): string | null {
  if (notShrunk !== null) return `not shrunk: ${notShrunk}`;
  return shrunk !== null && shrunk.lines > MOST_LINES ? `its fixture has ${shrunk.lines} lines, more than ${MOST_LINES}` : null;
}
