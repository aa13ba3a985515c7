/** The newest run of the daemon, from its rows: its configuration, and whether it shut down cleanly. Pure. */
import { isDeepStrictEqual } from "node:util";
import type { PeerId } from "../../base/ids.ts";
import type { LastRun, LogEvent } from "../../events/types.ts";

export interface RunRecord {
  readonly startedSeq: number;
  /** The PeerID that the log belongs to; undefined if no row up to here has it. */
  readonly peerId?: PeerId | undefined;
  readonly configSha256: string;
  /** The effective configuration without secrets; null if no row up to here has it. */
  readonly config: Readonly<Record<string, unknown>> | null;
  /** The `events` settings under which every message so far was decoded; null if they changed since the log was last reinterpreted. */
  readonly vocabulary: unknown;
  /** The DaemonStopped that ended it; null if there is none. */
  readonly stoppedSeq: number | null;
}

/** The record after an event. A start whose configuration is unchanged omits it, so it is carried over. */
export function foldRun(before: RunRecord | null, { seq, event }: { seq: number; event: LogEvent }): RunRecord | null {
  if (event.type === "DaemonStopped") return before && { ...before, stoppedSeq: seq };
  if (event.type === "LogReinterpreted") return before && { ...before, vocabulary: event.details.vocabulary };
  if (event.type === "IdentityChanged") return before && { ...before, peerId: event.details.to };
  if (event.type !== "DaemonStarted") return before;
  const { configSha256, config, peerId = before?.peerId } = event.details;
  const effective = config ?? before?.config ?? null;
  const events = effective?.["events"] ?? null;
  const vocabulary = before === null || isDeepStrictEqual(before.vocabulary, events) ? events : null;
  const record = { startedSeq: seq, configSha256, config: effective, vocabulary, stoppedSeq: null };
  return peerId === undefined ? record : { ...record, peerId };
}

/** How the run before a start ended. */
export function lastRunOf(record: RunRecord | null): LastRun {
  if (record === null) return "first_start";
  return record.stoppedSeq === null ? "unclean" : "clean";
}

/** True if a message in the log may have been decoded under other settings than `events`, which are plain JSON. */
export function vocabularyChanged(record: RunRecord | null, events: unknown): boolean {
  return record !== null && !isDeepStrictEqual(record.vocabulary, events);
}
