/** Draws worlds of several daemons, which make each other partners and open at the same time. Pure. */
import type { Fixture, FixtureLine } from "../../../src/fixture/format/schema.ts";
import { CONVERGED_WITHIN_MS } from "../../../src/sim/invariants/invariant.ts";
import { PAIRS_AGREE_WITHIN_MS } from "../../../src/sim/several/pairs.ts";
import { derivedRandom } from "../../../src/sim/time/random.ts";
import { type Draw, drawer, keepsHead } from "./draw.ts";
import { type Around, FAULT_KINDS, type FaultKind, type Mix, mixText, needsStream, occurrence, published } from "./faults.ts";

/** Faults start and end within this time. */
const FAULTS_MS = 60_000;
/** The last fault starts this long before, so that most are over. */
const LAST_MS = 10_000;
/** Soon after all faults, when leftovers of them meet new events. */
const SETTLED_AFTER_MS = 2_000;
/** Two rounds of the full diff. */
const SILENT_MS = 15_000;
const NAMES = ["self", "amy", "bob"] as const;
const MOST_KINDS = 5;

/** Kinds of faults that scripted peers alone can have, or that would need them. */
const OF_SCRIPTS: readonly FaultKind[] = ["moved", "self", "peer_crash", "peer_freeze", "opens", "attack", "strangers_attack"];
/** Faults of the connections of a daemon of ours, or of a router on the way. */
const OF_LINKS = ["cut", "cut_in", "cut_out", "heal", "disconnect", "forget", "blackhole"];

/** Kinds of events that need several daemons. */
const MEETINGS = ["meet", "part", "outage"] as const;
type Meeting = (typeof MEETINGS)[number];

/** The same seed and mix give the same world. `mix`: replaces the kinds of faults, not the meetings. */
export function generateSeveral(seed: number, mix?: Mix): Fixture {
  const draw = drawer(derivedRandom(seed, "several daemons"));
  const names = NAMES.slice(0, draw.one([2, 2, 2, 3]));
  const kinds = mix ?? drawKinds(draw);
  const lines: FixtureLine[] = names.flatMap((name, index) =>
    names.slice(index + 1).flatMap((other) => together(draw, draw.between(0, draw.one([0, 0, 5_000])), name, other, "PARTNER")),
  );
  for (const kind of kinds) lines.push(...faults(draw, kind, names));
  for (const meeting of MEETINGS) if (draw.chance(0.4)) lines.push(...meetings(draw, meeting, names));
  const kept = lines.filter(({ atMs }) => atMs <= FAULTS_MS);
  kept.push({ atMs: FAULTS_MS, world: "heal" });
  // The rest keep what they were told last, which may differ at the two ends.
  if (draw.chance(0.7)) kept.push(...settlement(draw, names));
  // The order of equal times is the order of creation; the sort is stable.
  kept.sort((one, other) => one.atMs - other.atMs);
  return {
    header: {
      fixture: "oc-partnerd",
      version: 1,
      note: `world of ${names.length} daemons of seed ${seed}: ${mixText(kinds)}`,
      seed,
      self: "self",
      daemons: names.slice(1),
      durationMs: FAULTS_MS + Math.max(CONVERGED_WITHIN_MS, PAIRS_AGREE_WITHIN_MS) + SILENT_MS,
      latencyMs: draw.one([1, 5, 20, 80]),
      settings: {
        inbound: draw.one(["unless-revoked", "partners"]),
        concurrency: draw.one([1, 2, 64]),
        openTimeoutMs: 5_000,
        renewTimeoutMs: 3_000,
        resyncMs: 5_000,
        delivery: needsStream(kinds) || draw.chance(0.5) ? "at_least_once" : "at_most_once",
        headFile: keepsHead(seed),
      },
    },
    lines: kept,
  };
}

function drawKinds(draw: Draw): Mix {
  const left = FAULT_KINDS.filter((kind) => !OF_SCRIPTS.includes(kind));
  return Array.from({ length: draw.between(0, MOST_KINDS) }, () => left.splice(draw.between(0, left.length - 1), 1)).flat();
}

/** Both are told about each other, at the same time or nearly so. */
function together(draw: Draw, atMs: number, one: string, other: string, relation: string): FixtureLine[] {
  const laterMs = draw.between(0, draw.one([0, 0, 3, 30, 300, 5_000]));
  const [first, second] = draw.chance(0.5) ? [one, other] : [other, one];
  return [published(atMs, second, { relation, on: first }), published(atMs + laterMs, first, { relation, on: second })];
}

/** Occurrences of one kind, each at one of the daemons; those of peers are of the links of another. */
function faults(draw: Draw, kind: FaultKind, names: readonly string[]): FixtureLine[] {
  return times(draw).flatMap((atMs) => {
    const on = draw.one(names as [string, ...string[]]);
    const others = names.filter((name) => name !== on) as [string, ...string[]];
    const around: Around = { draw, peers: others, untilMs: FAULTS_MS };
    return occurrence(kind, around, atMs).flatMap((line) => placed(line, on));
  });
}

/** Close to each other, faults meet; apart, each shows by itself. */
function times(draw: Draw): number[] {
  const [fromMs, spreadMs] = draw.one([
    [20_000, 500],
    [20_000, 10_000],
    [500, FAULTS_MS - LAST_MS - 500],
  ]);
  return Array.from({ length: draw.one([1, 1, 2, 4]) }, () => fromMs + draw.between(0, spreadMs));
}

/** The line at the daemon `on`; nothing if only a script can do it. */
function placed(line: FixtureLine, on: string): FixtureLine[] {
  if ("does" in line) return OF_LINKS.includes(line.does) ? [line] : [];
  if ("answers" in line) return line.answers === "no_protocol" || line.answers === "not_partner" ? [] : [line];
  if ("listens" in line || "expect" in line || "world" in line) return [];
  return "peer" in line ? [line] : [{ ...line, on }];
}

function meetings(draw: Draw, meeting: Meeting, names: readonly string[]): FixtureLine[] {
  return times(draw).flatMap((atMs) => meetingAt(draw, meeting, names, atMs));
}

function meetingAt(draw: Draw, meeting: Meeting, names: readonly string[], atMs: number): FixtureLine[] {
  const one = draw.one(names as [string, ...string[]]);
  const other = draw.one(names.filter((name) => name !== one) as [string, ...string[]]);
  const againMs = atMs + draw.between(0, draw.one([20, 500, 5_000]));
  switch (meeting) {
    case "meet": {
      const apart = together(draw, atMs, one, other, draw.one(["NONE", "BLACKLIST"]));
      return [...apart, ...together(draw, againMs, one, other, "PARTNER")];
    }
    case "part": {
      // At one end only: the other tries on.
      const apart = published(atMs, one, { relation: draw.one(["NONE", "BLACKLIST"]), on: other });
      return draw.chance(0.7) ? [apart, published(againMs, one, { on: other })] : [apart];
    }
    case "outage": {
      const downMs = draw.one([0, 500, 5_000]);
      const daemon = draw.one(["crash", "power_loss", "restart"] as const);
      return names.map((on): FixtureLine => ({ atMs, daemon, at: "now", downMs, on }));
    }
  }
}

/** Each pair is told the same at both ends. */
function settlement(draw: Draw, names: readonly string[]): FixtureLine[] {
  const atMs = FAULTS_MS + SETTLED_AFTER_MS;
  return names.flatMap((one, index) =>
    names.slice(index + 1).flatMap((other) => {
      const relation = draw.one(["PARTNER", "PARTNER", "PARTNER", "NONE", "BLACKLIST"]);
      return [published(atMs, one, { relation, on: other }), published(atMs, other, { relation, on: one })];
    }),
  );
}
