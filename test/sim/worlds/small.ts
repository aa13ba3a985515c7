/** Draws small worlds: few peers, a short time, and a few kinds of faults. They run fast, so more of them are tried. Pure. */
import type { Fixture, FixtureLine } from "../../../src/fixture/format/schema.ts";
import { CONVERGED_WITHIN_MS } from "../../../src/sim/invariants/invariant.ts";
import { derivedRandom } from "../../../src/sim/time/random.ts";
import { type Draw, drawer, keepsHead } from "./draw.ts";
import { FAULT_KINDS, type FaultKind, type Mix, needsStream, occurrence, published } from "./faults.ts";

/** Faults start and end within this time. */
const FAULTS_MS = 90_000;
/** The last fault starts this long before, so that most are over. */
const LAST_MS = 10_000;
const LEAST_PEERS = 3;
const MOST_PEERS = 5;
const MOST_KINDS = 6;
/** Two rounds of the full diff: what would stir later stirs in a large world. */
const SILENT_MS = 15_000;

/** The same seed and mix give the same world. `mix`: by default drawn from the seed. */
export function generateSmall(seed: number, mix: Mix = drawMix(seed)): Fixture {
  const draw = drawer(derivedRandom(seed, "small world"));
  const peers = named(draw.between(LEAST_PEERS, MOST_PEERS));
  const coldStart = draw.chance(0.3);
  const isPartner = draw.one([0.4, 0.8, 1]);
  const settings = {
    inbound: draw.chance(0.8) ? "unless-revoked" : "partners",
    concurrency: draw.one([1, 2, 4, 64]),
    openTimeoutMs: 5_000,
    renewTimeoutMs: 3_000,
    resyncMs: 5_000,
    delivery: needsStream(mix) || draw.chance(0.5) ? "at_least_once" : "at_most_once",
    headFile: keepsHead(seed),
  } as const;
  const latencyMs = draw.one([1, 5, 20, 80]);
  // Without it, what is still wrong at the end need not be put right, and the run is shorter.
  const heals = draw.chance(0.5);
  const lines: FixtureLine[] = peers.map((peer) =>
    published(coldStart ? 0 : draw.between(0, 8_000), peer, { relation: draw.chance(isPartner) ? "PARTNER" : "NONE" }),
  );
  for (const kind of mix) lines.push(...occurrences(draw, kind, peers));
  const kept = lines.filter(({ atMs }) => atMs <= FAULTS_MS);
  // The order of equal times is the order of creation; the sort is stable.
  kept.sort((one, other) => one.atMs - other.atMs);
  if (heals) kept.push({ atMs: FAULTS_MS, world: "heal" });
  return {
    header: {
      fixture: "oc-partnerd",
      version: 1,
      note: `small world of seed ${seed}: ${mix.length === 0 ? "no faults" : mix.join(", ")}`,
      seed,
      self: "self",
      durationMs: FAULTS_MS + (heals ? CONVERGED_WITHIN_MS + SILENT_MS : 0),
      latencyMs,
      settings,
    },
    lines: kept,
  };
}

/** Some kinds of faults, by default each as likely as any other. */
export function drawMix(seed: number, weightOf: (kind: FaultKind) => number = () => 1): Mix {
  const draw = drawer(derivedRandom(seed, "mix"));
  const left = [...FAULT_KINDS];
  return Array.from({ length: draw.between(0, MOST_KINDS) }, () => {
    const index = weighted(draw, left.map(weightOf));
    return left.splice(index, 1);
  }).flat();
}

/** An index, as likely as its weight says. */
function weighted(draw: Draw, weights: readonly number[]): number {
  let left = draw.fraction() * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [index, weight] of weights.entries()) {
    left -= weight;
    if (left < 0) return index;
  }
  return weights.length - 1;
}

function occurrences(draw: Draw, kind: FaultKind, peers: readonly [string, ...string[]]): FixtureLine[] {
  const around = { draw, peers, untilMs: FAULTS_MS };
  // Close to each other, faults meet; apart, each shows by itself.
  const [fromMs, spreadMs] = draw.one([
    [30_000, 1_000],
    [30_000, 10_000],
    [1_000, FAULTS_MS - LAST_MS - 1_000],
  ]);
  return Array.from({ length: draw.one([1, 1, 2, 4]) }, () =>
    occurrence(kind, around, fromMs + draw.between(0, spreadMs)),
  ).flat();
}

function named(count: number): readonly [string, ...string[]] {
  return ["p1", ...Array.from({ length: count - 1 }, (_, index) => `p${index + 2}`)];
}
