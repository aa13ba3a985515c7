/** A round with two daemons of one identity: the original, and one on a copy of its data directory. One of them survives. */
import { setTimeout as delay } from "node:timers/promises";
import type { DaemonProcess } from "../support/daemon-process.ts";
import { type Bound, bound } from "../support/pace/pace.ts";
import { LogFile } from "./log-file.ts";
import type { RoundPlan } from "./plan.ts";
import {
  CLIENT_NAME,
  endDaemon,
  type Identity,
  launch,
  logOf,
  RECOVERY_TIMEOUT_MS,
  type Scene,
  sequenceIn,
  untilAnswers,
} from "./round.ts";

/** The original notices when its consumer is recreated, and every four seconds. */
const NOTICED_WITHIN = bound(15_000);
/** It leaves the consumer to the clone for ten seconds, and then takes it back. */
const BOTH_NOTICED_WITHIN = bound(30_000);

/**
 * Plays the round. `clone`: has a copy of the original's data directory. Throws if a daemon misbehaves before it is killed, or does not
 * notice the other.
 */
export async function playCloneRound(scene: Scene, plan: RoundPlan, original: Identity, clone: Identity): Promise<void> {
  const { load, broker } = scene;
  load.perSecond = plan.messagesPerSecond;
  load.burst(plan.burst);
  await using first = await launch(scene, original);
  try {
    await untilAnswers(first, "/readyz");
    await delay(plan.delayMs);
    await using second = await launch(scene, clone, " clone");
    try {
      await untilAnswers(second, "/startupz");
      await noticed(first, original, clone, NOTICED_WITHIN);
      if (plan.bothNotice) await noticed(second, clone, original, BOTH_NOTICED_WITHIN);
      await delay(plan.downMs);
      const [ended, survivor, survives] = plan.survivor === "original" ? [second, first, original] : [first, second, clone];
      await ended.kill();
      await (plan.afterMs === null ? goesOn(survivor, survives) : delay(plan.afterMs));
      await endDaemon(scene, plan, survivor, []);
    } finally {
      scene.onLog(logOf(second));
    }
    await broker.clientGone(CLIENT_NAME);
  } finally {
    scene.onLog(logOf(first));
  }
}

/** Waits until the daemon has recorded a run of the other. */
async function noticed(daemon: DaemonProcess, own: Identity, other: Identity, limit: Bound): Promise<void> {
  const look = () => {
    const runs = runsIn(other);
    using file = LogFile.open(own.dataDir);
    return file?.claims.some(({ otherRun }) => otherRun !== null && runs.includes(otherRun)) === true;
  };
  await daemon.until(`it records that ${other.dataDir} is in use too`, look, limit);
}

/** Waits until the log grows. The daemon is not ready for another minute, because it was contested. */
async function goesOn(daemon: DaemonProcess, identity: Identity): Promise<void> {
  const before = sequenceIn(identity);
  await daemon.until("the log grows", () => sequenceIn(identity) > before, RECOVERY_TIMEOUT_MS);
}

/** The runs of daemons that wrote to this log. */
export function runsIn({ dataDir }: Identity): readonly string[] {
  using file = LogFile.open(dataDir);
  return file?.runs ?? [];
}
