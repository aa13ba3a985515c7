/** Builds the view of a peer from its desired state, its streams and its retry state. Pure. */

import type { ErrorCode } from "../base/errors.ts";
import type { Did, PeerId } from "../base/ids.ts";
import { dialability } from "../base/net/tcp-endpoint.ts";
import { isoTime } from "../base/units.ts";
import type { CloseReason, DesiredPeer, LogEvent } from "../events/types.ts";
import { isRefusalBy, type OpenFailure, STABLE_MS } from "../reconciler/backoff.ts";
import type { KeyProgress } from "../reconciler/options.ts";
import { learnedFactsOf, type PeerStatus } from "../store/fold/status.ts";
import type { LogEntry } from "../store/model/log-entry.ts";
import { adviceOn, type OwnDialect } from "./advice.ts";
import type { LearnedView, PeerView, Phase, StreamView } from "./api.ts";

/** A stream from the registry, with times as wall time. */
export interface StreamFacts {
  readonly did: Did | null;
  readonly openedAtMs: number;
  readonly expiresAtMs: number;
  readonly proven: boolean;
}

/** Everything known about a peer. Times are wall ms, except in `progress`, where they are monotonic. */
export interface PeerFacts {
  readonly peerId: PeerId;
  readonly desired: DesiredPeer | undefined;
  readonly outbound: StreamFacts | null;
  readonly inbound: StreamFacts | null;
  readonly progress: KeyProgress;
  /** Add this to a monotonic time to get wall time. */
  readonly wallOffsetMs: number;
}

export function peerView({ peerId, desired, outbound, inbound, progress, wallOffsetMs }: PeerFacts): PeerView {
  const phase = phaseOf(outbound, progress);
  const { lastFailure, nextAttemptAtMs } = progress;
  return {
    peerId,
    did: desired?.did ?? inbound?.did ?? null,
    name: desired?.name ?? null,
    relation: desired?.relation ?? null,
    standing: desired?.standing ?? null,
    address: desired?.address ?? null,
    skippedAddresses: desired?.standing === "partner" && desired.address !== null ? dialability(desired.address).skipped : [],
    phase,
    since: since(phase, desired, outbound, progress, wallOffsetMs),
    outbound: outbound && timesOf(outbound),
    inbound: inbound && { ...timesOf(inbound), proven: inbound.proven },
    attempts: progress.attempts,
    nextAttemptAt: nextAttemptAtMs === null || phase !== "backoff" ? null : isoTime(nextAttemptAtMs + wallOffsetMs),
    lastError: lastFailure && errorView(lastFailure),
    desiredSeq: desired?.desiredSeq ?? null,
  };
}

function errorView({ code, message, streamEnd, errorName }: OpenFailure): NonNullable<PeerView["lastError"]> {
  return { code, message: failureSentence(message, streamEnd), streamEnd, errorName };
}

/** Errors by which the far end itself turns our stream down. */
const TURNED_DOWN: readonly ErrorCode[] = ["refused", "protocol_unsupported"];

/**
 * Whether the peer accepts our streams: its last choice. Null if it never had it, or if `history` does not show it, the newest rows of
 * its log, newest first. Other failures, such as that of a dial, do not count.
 */
export function acceptsStreams({ outbound, progress }: PeerFacts, history: readonly Pick<LogEntry, "event">[]): boolean | null {
  if (outbound !== null) return true;
  const code = progress.lastFailure?.code;
  if (code !== undefined && TURNED_DOWN.includes(code)) return false;
  for (const { event } of history) {
    const choice = choiceIn(event);
    if (choice !== null) return choice;
  }
  return null;
}

/** True if the far end accepted our stream, false if it turned it down, null if the event was not its choice. */
function choiceIn(event: LogEvent): boolean | null {
  if (event.type === "StreamOpened" && event.direction === "outbound") return true;
  if (event.type === "StreamClosed" && event.direction === "outbound" && isRefusalBy(event.reason, event.durationMs))
    return false;
  return event.type === "OpenFailed" && TURNED_DOWN.includes(event.reason) ? false : null;
}

/** Throws `database_failed` if this program cannot have written the facts. */
export function learnedView(status: PeerStatus | undefined, own: OwnDialect, accepts: boolean | null): LearnedView | null {
  const [learned, facts] = [status?.learned ?? null, learnedFactsOf(status)];
  if (learned === null || facts === null) return null;
  return { seq: learned.seq, at: isoTime(learned.atMs), ...facts, advice: adviceOn(facts, own, accepts) };
}

/** A stream that opened after so many failures is unsteady until it has been open for STABLE_MS; then they are forgiven. */
const UNSTEADY_ATTEMPTS = 3;

/** For people: how often the open stream failed or was lost shortly before; null if it is steady, or not open. */
export function unsteadySentence({ phase, attempts, since }: PeerView, nowMs: number): string | null {
  const isRecent = since !== null && nowMs - Date.parse(since) < STABLE_MS;
  if (phase !== "established" || !isRecent || attempts < UNSTEADY_ATTEMPTS) return null;
  return `unsteady: failed or lost ${attempts} times in a row`;
}

/** For people: the addresses that are not dialled; null if all are. */
export function skippedSentence(skipped: readonly string[]): string | null {
  return skipped.length === 0 ? null : `not dialled, because it is not TCP: ${skipped.join(", ")}`;
}

/** As peer_history says it. */
export function failureSentence(message: string, streamEnd: CloseReason | null): string {
  return streamEnd === null ? message : `${message} (${streamEnd})`;
}

export function phaseOf(outbound: StreamFacts | null, progress: KeyProgress): Phase {
  if (outbound !== null) return "established";
  if (progress.opening) return "opening";
  return progress.nextAttemptAtMs === null ? "closed" : "backoff";
}

function since(
  phase: Phase,
  desired: DesiredPeer | undefined,
  outbound: StreamFacts | null,
  progress: KeyProgress,
  wallOffsetMs: number,
): string | null {
  if (outbound !== null) return isoTime(outbound.openedAtMs);
  if (phase === "backoff" && progress.lastFailure !== null) return isoTime(progress.lastFailure.failedAtMs + wallOffsetMs);
  return desired === undefined ? null : isoTime(desired.sinceMs);
}

function timesOf({ openedAtMs, expiresAtMs }: StreamFacts): StreamView {
  return { openedAt: isoTime(openedAtMs), expiresAt: isoTime(expiresAtMs) };
}
