/** The plan of a round, drawn from the seed. Pure. */
import type { Random } from "../../src/base/clock.ts";

/** The processes that a round kills. If only the server is killed, the daemon must reconnect, and is ended afterwards. */
export const VICTIMS = ["daemon", "server", "both"] as const;
type Victim = (typeof VICTIMS)[number];

/**
 * The daemon's activity at the time of the kill. A `first start` uses its own database and consumer for one round, so that migrations
 * are interrupted too. `cloned`: a second daemon runs on a copy of the data directory; one of the two is killed, and the other survives.
 */
export const PHASES = ["first start", "start", "catching up", "steady", "shutdown", "cloned"] as const;
type Phase = (typeof PHASES)[number];

/**
 * How the daemon ends. `kill`: SIGKILL. `power loss`: SIGKILL, and the disk keeps only fsynced data. `stop`: SIGTERM without a deadline,
 * only if the server was the victim.
 */
export const ENDS = ["kill", "power loss", "stop"] as const;
type End = (typeof ENDS)[number];

/**
 * Changes of the data directory before the daemon starts. `rolled back`: replaced with an older copy. `restored`: emptied except for
 * the key, and restored from a backup that was made while a daemon ran.
 */
export const PASTS = ["kept", "rolled back", "restored"] as const;
type Past = (typeof PASTS)[number];

/** `copy`: of the data directory, after the round. `backup`: of the database, in the `steady` phase, while the daemon runs. */
export const SAVES = ["nothing", "copy", "backup"] as const;
type Save = (typeof SAVES)[number];

/** The daemon that survives a `cloned` phase: the one on the data directory, or the one on its copy. */
export const SURVIVORS = ["original", "clone"] as const;
type Survivor = (typeof SURVIVORS)[number];

export interface RoundPlan {
  readonly victim: Victim;
  readonly phase: Phase;
  readonly end: End;
  /** From the milestone of the phase to the kill. */
  readonly delayMs: number;
  /** How long the server stays down if it is killed. */
  readonly downMs: number;
  /**
   * If only the server is killed: the time from its return to the end of the daemon; null to wait until the daemon resumes reading. In a
   * `cloned` phase: the same from the end of the other daemon.
   */
  readonly afterMs: number | null;
  /** Whether the daemon is told to reread the whole stream just before the kill; only in the `steady` phase. */
  readonly resync: boolean;
  readonly messagesPerSecond: number;
  /** The number of messages published at once when the round begins. */
  readonly burst: number;
  readonly past: Past;
  /** With an older log: the share to purge of the messages acknowledged since, or more than all of them; null for none. */
  readonly purge: number | null;
  readonly save: Save;
  readonly survivor: Survivor;
  /** Whether both daemons of a `cloned` phase must notice the other, which takes some ten seconds; otherwise only the original. */
  readonly bothNotice: boolean;
}

/** Whether the lane has saved something so far. */
export interface Saves {
  readonly hasCopy: boolean;
  readonly hasBackup: boolean;
}

/** A cold start takes about 700 ms, more on a busy machine; the kill can come at any point of it. */
const LONGEST_DELAY_MS: Readonly<Record<Phase, number>> = {
  "first start": 1_200,
  start: 1_000,
  "catching up": 250,
  steady: 700,
  shutdown: 120,
  cloned: 500,
};

const LEAST_PER_SECOND = 50;
const MOST_PER_SECOND = 1_000;
const MOST_AT_ONCE = 2_000;
const LONGEST_DOWN_MS = 300;
const LONGEST_AFTER_MS = 1_500;
const LARGEST_PURGE = 1.3;

/** `often`: most rounds roll back, restore or clone, for planted bugs that only those show. */
export function planRound(random: Random, canLosePower: boolean, { hasCopy, hasBackup }: Saves, often = false): RoundPlan {
  const kept = often ? 1 : 10;
  const phase = pick(random, {
    "first start": 1,
    start: 3,
    "catching up": 3,
    steady: 4,
    shutdown: 2,
    cloned: hasCopy ? 10 / kept : 0,
  });
  const isAlone = phase === "first start" || phase === "cloned";
  const victim = isAlone ? "daemon" : pick(random, { daemon: 6, server: 2, both: 2 });
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
    past: pick(random, { kept, "rolled back": hasCopy && !isAlone ? 2 : 0, restored: hasBackup && !isAlone ? 1 : 0 }),
    purge: random.next() < 0.5 ? null : random.next() * LARGEST_PURGE,
    save:
      phase === "first start"
        ? "nothing"
        : pick(random, {
            nothing: 8,
            copy: hasCopy ? 2 : 40,
            backup: phase !== "steady" ? 0 : hasBackup ? 2 : 80 / kept,
          }),
    survivor: pick(random, { original: 1, clone: 1 }),
    bothNotice: random.next() < 0.15,
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
export function planText(plan: RoundPlan): string {
  const { victim, phase, resync, end, delayMs, downMs, afterMs, messagesPerSecond, burst, past, purge, save } = plan;
  const before = past === "kept" ? "" : `log ${past}${purge === null ? "" : `, ${Math.round(purge * 100)} % purged`}; `;
  const whom = victim === "both" ? "daemon and server" : victim;
  const hasAfter = victim === "server" || phase === "cloned";
  const after = !hasAfter ? "" : afterMs === null ? ", until it reads again" : `, ${Math.round(afterMs)} ms more`;
  const clone = phase === "cloned" ? `, ${plan.survivor} survives${plan.bothNotice ? ", both notice" : ""}` : "";
  const saved = save === "nothing" ? "" : `, ${save}`;
  return `${before}${whom} at ${phase}${resync ? ", resync" : ""} + ${Math.round(delayMs)} ms${clone}, ${end}, away ${Math.round(downMs)} ms${after}, ${messagesPerSecond} messages/s, ${burst} at once${saved}`;
}
