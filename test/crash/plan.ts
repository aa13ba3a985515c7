/** The plan of a round, drawn from the seed. Pure. */
import type { Random } from "../../src/base/clock.ts";

/** The processes that a round kills. If only the server is killed, the daemon must reconnect, and is ended afterwards. */
export const VICTIMS = ["daemon", "server", "both"] as const;
type Victim = (typeof VICTIMS)[number];

/**
 * The daemon's activity at the time of the kill. A `first start` uses its own database and consumer for one round, so that migrations
 * are interrupted too.
 */
export const PHASES = ["first start", "start", "catching up", "steady", "shutdown"] as const;
type Phase = (typeof PHASES)[number];

/**
 * How the daemon ends. `kill`: SIGKILL. `power loss`: SIGKILL, and the disk keeps only fsynced data. `stop`: SIGTERM without a deadline,
 * only if the server was the victim.
 */
export const ENDS = ["kill", "power loss", "stop"] as const;
type End = (typeof ENDS)[number];

export interface RoundPlan {
  readonly victim: Victim;
  readonly phase: Phase;
  readonly end: End;
  /** From the milestone of the phase to the kill. */
  readonly delayMs: number;
  /** How long the server stays down if it is killed. */
  readonly downMs: number;
  /** If only the server is killed: the time from its return to the end of the daemon; null to wait until the daemon resumes reading. */
  readonly afterMs: number | null;
  /** Whether the daemon is told to reread the whole stream just before the kill; only in the `steady` phase. */
  readonly resync: boolean;
  readonly messagesPerSecond: number;
  /** The number of messages published at once when the round begins. */
  readonly burst: number;
}

/** A cold start takes about 700 ms, more on a busy machine; the kill can come at any point of it. */
const LONGEST_DELAY_MS: Readonly<Record<Phase, number>> = {
  "first start": 1_200,
  start: 1_000,
  "catching up": 250,
  steady: 700,
  shutdown: 120,
};

const LEAST_PER_SECOND = 50;
const MOST_PER_SECOND = 1_000;
const MOST_AT_ONCE = 2_000;
const LONGEST_DOWN_MS = 300;
const LONGEST_AFTER_MS = 1_500;

export function planRound(random: Random, canLosePower: boolean): RoundPlan {
  const phase = pick(random, { "first start": 1, start: 3, "catching up": 3, steady: 4, shutdown: 2 });
  const victim = phase === "first start" ? "daemon" : pick(random, { daemon: 6, server: 2, both: 2 });
  const end = pick(random, { kill: 4, "power loss": canLosePower ? 5 : 0, stop: victim === "server" ? 3 : 0 });
  return {
    victim,
    phase,
    end,
    delayMs: random.next() * LONGEST_DELAY_MS[phase],
    downMs: random.next() * LONGEST_DOWN_MS,
    afterMs: random.next() < 0.5 ? null : random.next() * LONGEST_AFTER_MS,
    resync: random.next() < 0.2 && phase === "steady",
    messagesPerSecond: Math.round(LEAST_PER_SECOND * (MOST_PER_SECOND / LEAST_PER_SECOND) ** random.next()),
    burst: random.next() < 0.8 ? 0 : Math.floor(random.next() * MOST_AT_ONCE),
  };
}

/** Picks a key at random, in proportion to its weight. */
function pick<Key extends string>(random: Random, weights: Readonly<Record<Key, number>>): Key {
  const entries = Object.entries<number>(weights) as [Key, number][];
  const total = entries.reduce((sum, [, weight]) => sum + weight, 0);
  let left = random.next() * total;
  for (const [key, weight] of entries) {
    left -= weight;
    if (left < 0) return key;
  }
  throw new Error("no weight is positive");
}

/** Describes the round, for the report of a violation. */
export function planText({ victim, phase, resync, end, delayMs, downMs, afterMs, messagesPerSecond, burst }: RoundPlan): string {
  const whom = victim === "both" ? "daemon and server" : victim;
  const after = victim !== "server" ? "" : afterMs === null ? ", until it reads again" : `, ${Math.round(afterMs)} ms more`;
  return `${whom} at ${phase}${resync ? ", resync" : ""} + ${Math.round(delayMs)} ms, ${end}, away ${Math.round(downMs)} ms${after}, ${messagesPerSecond} messages/s, ${burst} at once`;
}
