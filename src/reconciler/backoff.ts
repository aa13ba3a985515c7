/** Retry policy: backoff state of one key and its transitions. Pure. */
import type { Random } from "../base/clock.ts";
import { CUT_REASONS, type CutReason, type ErrorCode, isCutReason } from "../base/errors.ts";
import type { CloseReason, FailureFacts } from "../events/types.ts";

/** Upper bound of the first retry's random wait; doubles with each further retry. */
const BASE_MS = 500;
const CAP_MS = 60_000;
/** Cap on the wait until a series of failures has lasted this long. */
const FIRST_RETRY_MS = 1_000;
/**
 * Caps on the wait for a peer that was established recently: at first, when it may be restarting, and later. A dial into a dead
 * network may last 2 s after its last SYN; with the first cap, the peer still has its stream less than 5 s after it recovered.
 */
const RESTART_CAP_MS = 2_500;
const RECENT_CAP_MS = 10_000;
const RESTART_MS = 60_000;
/** A peer counts as recently established for this long after it went away. */
const RECENT_MS = 5 * 60_000;
/** Only a stream that lasted this long renews that time, so that a flapping peer uses it up. */
const RENEWS_RECENT_MS = 10_000;
/** A far end that ends a stream this soon after its opening has refused it: a Go program looks the sender up after a heartbeat. */
export const REFUSAL_GRACE_MS = 2_000;
/** A stream that lasted this long resets the count of failures, as in lnd. */
export const STABLE_MS = 60_000;
/** Full jitter may give nearly zero; this keeps a failing key from spinning. */
const LEAST_MS = 50;
/** A sign of life ends a wait no sooner than this after the failure, so that a flapping peer cannot set the pace. */
const SIGN_OF_LIFE_LEAST_MS = 1_000;

/** Failures chosen by the far end, or that only a person can fix, are retried later than a timeout. A denied address: of a name. */
const FLOORS_MS: Partial<Record<ErrorCode, number>> = {
  refused: 3_000,
  identity_mismatch: 10_000,
  psk_mismatch: 10_000,
  frame_invalid: 10_000,
  flooded: 10_000,
  buffer_full: 10_000,
  protocol_unsupported: 10_000,
  address_denied: 300_000,
};

/** Failures of the address, which say nothing about a connection that the peer opens. */
const UNDIALLABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["address_unsupported", "address_denied"]);

/** A partner may lose its stream this often in a series before FLAPPING_LEAST_MS applies. */
const LOSSES_FORGIVEN = 2;
/**
 * The least wait of a flapping peer, whatever it does to end the wait: a loss costs two rows of the log. With its jitter it is still
 * less than 10 s.
 */
const FLAPPING_LEAST_MS = 8_000;

function floorMs(code: ErrorCode, { losses }: FailureRun): number {
  return Math.max(FLOORS_MS[code] ?? 0, losses > LOSSES_FORGIVEN ? FLAPPING_LEAST_MS : 0);
}

/** The last failure of a key, for status and for `decide`. */
export interface OpenFailure extends FailureFacts {
  readonly code: ErrorCode;
  readonly message: string;
  readonly failedAtMs: number;
}

/** A series of failures without a stable stream in between. */
interface FailureRun {
  readonly attempts: number;
  /** How many of them were losses of an established stream. */
  readonly losses: number;
  readonly sinceMs: number;
  /** The last stream was ended, lost or cut within the grace. The next one is established only after it has outlived the grace. */
  readonly onProbation: boolean;
  /** Until when the peer counts as recently established; null if it has had no stream but refused ones. */
  readonly recentUntilMs: number | null;
}

/**
 * The retry state of one key:
 * `fresh` (nothing went wrong since the generation began) -> `waiting` after a failure -> `established` once the stream is up
 * -> `waiting` again when the stream is lost. `stopped` waits for a new generation, or for a sign of life. A new generation is always
 * `fresh`.
 */
export type Retry =
  | { readonly state: "fresh" }
  | { readonly state: "waiting"; readonly run: FailureRun; readonly notBeforeMs: number; readonly failure: OpenFailure }
  | { readonly state: "established"; readonly run: FailureRun | null; readonly sinceMs: number }
  | { readonly state: "stopped"; readonly run: FailureRun; readonly failure: OpenFailure };

export type Waiting = Extract<Retry, { state: "waiting" }>;
type Established = Extract<Retry, { state: "established" }>;

export const FRESH: Retry = { state: "fresh" };

/**
 * fresh | waiting -> waiting, established (lost) -> waiting: adds a failure, or starts over if the stream had lasted for
 * STABLE_MS.
 */
export function failed(before: Retry, failure: OpenFailure, random: Pick<Random, "next">): Waiting {
  const run = oneMore(before, failure.failedAtMs);
  // It is not restarting, but ends each stream at once, or makes us end it.
  const repeatsRefusal = run.onProbation && (failure.code === "refused" || isCutReason(failure.code));
  return waiting(repeatsRefusal ? { ...run, recentUntilMs: null } : run, failure, random);
}

/**
 * established -> waiting: the stream is gone. If the far end ended it within the grace, that was a refusal, and the next stream is on
 * probation. A connection lost so early is on probation too, but keeps its short wait: it may have been the network. A connection
 * that we cut is on probation too, but waits at least 10 s.
 */
export function lost(before: Established, streamEnd: CloseReason | null, nowMs: number, random: Pick<Random, "next">): Waiting {
  const lastedMs = nowMs - before.sinceMs;
  const isRefusal = isRefusalBy(streamEnd, lastedMs);
  const cut = CUT_REASONS.find((reason) => reason === streamEnd);
  const isLost = streamEnd === "connection_lost" || cut !== undefined;
  const onProbation = isRefusal || (lastedMs < REFUSAL_GRACE_MS && isLost);
  const failure: OpenFailure = {
    code: isRefusal ? "refused" : (cut ?? "stream_lost"),
    message: lossText(isRefusal, cut, lastedMs),
    streamEnd,
    errorName: null,
    failedAtMs: nowMs,
  };
  const run = oneMore(before, nowMs);
  const renewsRecent = !isRefusal && (lastedMs >= RENEWS_RECENT_MS || run.recentUntilMs === null);
  const recentUntilMs = renewsRecent ? nowMs + RECENT_MS : run.recentUntilMs;
  return waiting({ ...run, onProbation, recentUntilMs }, failure, random);
}

function lossText(isRefusal: boolean, cut: CutReason | undefined, lastedMs: number): string {
  if (isRefusal) return `the peer ended the stream ${Math.round(lastedMs)} ms after it opened`;
  return cut === undefined ? "the stream was lost" : "this side cut the connection, because the far end exceeded a limit";
}

/** True if the far end ended a stream of ours so soon after its opening that it has refused it. */
export function isRefusalBy(streamEnd: CloseReason | null, lastedMs: number): boolean {
  return lastedMs < REFUSAL_GRACE_MS && (streamEnd === "reset" || streamEnd === "remote_closed");
}

function waiting(run: FailureRun, failure: OpenFailure, random: Pick<Random, "next">): Waiting {
  const { failedAtMs, code } = failure;
  const drawnMs = Math.max(LEAST_MS, random.next() * ceilingMs(run, failedAtMs));
  const flooredMs = floorMs(code, run) * (1 + random.next() / 5);
  // Only another resolution of its name can help a denied address, however recently the peer was there.
  const leastMs = UNDIALLABLE.has(code) ? flooredMs : Math.min(Math.max(RECENT_CAP_MS, capMs(run, failedAtMs)), flooredMs);
  return { state: "waiting", run, notBeforeMs: failedAtMs + Math.max(drawnMs, leastMs), failure };
}

/** any -> established. The series of failures continues until the stream has proved stable. */
export function established(before: Retry, nowMs: number): Established {
  const run = unendedRun(before, nowMs);
  return { state: "established", run: run && { ...run, onProbation: false }, sinceMs: nowMs };
}

/** any -> stopped: dialling cannot help before the desired state changes. */
export function stopped(before: Retry, failure: OpenFailure): Retry {
  return { state: "stopped", run: oneMore(before, failure.failedAtMs), failure };
}

/** How long the next stream must stay open before it counts as established, in ms. */
export function graceMs(retry: Retry): number {
  const hasFailed = retry.state === "waiting" || retry.state === "stopped";
  return hasFailed && retry.run.onProbation ? REFUSAL_GRACE_MS : 0;
}

/**
 * Doubles with each failure, but never exceeds the time since the first failure of the series. So a peer that was away for a while is
 * retried before it has been back for as long.
 */
function ceilingMs(run: FailureRun, nowMs: number): number {
  const doubledMs = BASE_MS * 2 ** Math.min(run.attempts - 1, 16);
  return Math.min(capMs(run, nowMs), doubledMs, Math.max(FIRST_RETRY_MS, nowMs - run.sinceMs));
}

function capMs({ recentUntilMs }: FailureRun, nowMs: number): number {
  if (recentUntilMs === null || nowMs >= recentUntilMs) return CAP_MS;
  const awayMs = nowMs - (recentUntilMs - RECENT_MS);
  return awayMs < RESTART_MS ? RESTART_CAP_MS : RECENT_CAP_MS;
}

/** The earliest time of the next attempt; Infinity if only a new generation or a sign of life helps. */
export function mayOpenAtMs(retry: Retry, lastSignOfLifeMs: number | null): number {
  switch (retry.state) {
    case "fresh":
    case "established":
      return 0;
    case "waiting":
      return Math.min(retry.notBeforeMs, afterSignOfLifeMs(retry, lastSignOfLifeMs));
    case "stopped":
      return afterSignOfLifeMs(retry, lastSignOfLifeMs);
  }
}

/** The earliest attempt after the peer has shown life since this failure; Infinity if it has not. */
function afterSignOfLifeMs(
  { run, failure: { failedAtMs, code } }: Extract<Retry, { state: "waiting" | "stopped" }>,
  lastSignOfLifeMs: number | null,
): number {
  if (lastSignOfLifeMs === null || lastSignOfLifeMs <= failedAtMs) return Number.POSITIVE_INFINITY;
  // A peer that cannot be dialled may have dialled us: its connection serves both ways.
  const leastMs = UNDIALLABLE.has(code) ? 0 : floorMs(code, run);
  return failedAtMs + Math.max(SIGN_OF_LIFE_LEAST_MS, leastMs);
}

/** Number of consecutive failures of the key, for status. */
export function attemptsOf(retry: Retry): number {
  return retry.state === "fresh" ? 0 : (retry.run?.attempts ?? 0);
}

function oneMore(before: Retry, nowMs: number): FailureRun {
  const run = unendedRun(before, nowMs);
  const losses = (run?.losses ?? 0) + (before.state === "established" ? 1 : 0);
  return run === null
    ? { attempts: 1, losses, sinceMs: nowMs, onProbation: false, recentUntilMs: null }
    : { ...run, attempts: run.attempts + 1, losses };
}

/** The series that a failure now would extend. */
function unendedRun(before: Retry, nowMs: number): FailureRun | null {
  if (before.state === "fresh") return null;
  return before.state === "established" && nowMs - before.sinceMs >= STABLE_MS ? null : before.run;
}
