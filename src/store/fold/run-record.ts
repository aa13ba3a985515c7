/** The newest run of the daemon, from its rows: its configuration, and whether it shut down cleanly. Pure. */
import { isDeepStrictEqual } from "node:util";
import type { LastRun, LogEvent } from "../../events/types.ts";

export interface RunRecord {
  readonly startedSeq: number;
  readonly configSha256: string;
  /** The effective configuration without secrets; null if no row up to here has it. */
  readonly config: Readonly<Record<string, unknown>> | null;
  /** The DaemonStopped that ended it; null if there is none. */
  readonly stoppedSeq: number | null;
}

/** The record after an event. A start whose configuration is unchanged omits it, so it is carried over. */
export function foldRun(before: RunRecord | null, { seq, event }: { seq: number; event: LogEvent }): RunRecord | null {
  if (event.type === "DaemonStopped") return before && { ...before, stoppedSeq: seq };
  if (event.type !== "DaemonStarted") return before;
  const { configSha256, config } = event.details;
  return { startedSeq: seq, configSha256, config: config ?? before?.config ?? null, stoppedSeq: null };
}

/** How the run before a start ended. */
export function lastRunOf(record: RunRecord | null): LastRun {
  if (record === null) return "first_start";
  return record.stoppedSeq === null ? "unclean" : "clean";
}

/** True if the events section of a recorded configuration differs from `events`: the log was decoded with another vocabulary. */
export function vocabularyChanged(record: RunRecord | null, events: object): boolean {
  const recorded = record?.config?.["events"];
  return recorded !== undefined && !isDeepStrictEqual(recorded, JSON.parse(JSON.stringify(events)));
}
