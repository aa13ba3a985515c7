/**
 * The program's only error type. Every error that crosses a module boundary carries a code from the table below, and the code alone
 * decides what happens next: the exit code of a command, the backoff of a dial.
 */

/** Exit codes from sysexits: 64 usage, 69 unavailable, 74 I/O, 78 configuration. */
export type ExitCode = 0 | 1 | 64 | 69 | 74 | 78;

const EXIT_CODES = {
  // Commands and start-up.
  usage: 64,
  config_invalid: 78,
  identity_unsafe: 78,
  identity_invalid: 78,
  identity_changed: 78,
  data_dir_unwritable: 74,
  data_dir_unsafe: 78,
  data_dir_in_use: 69,
  database_newer: 78,
  database_retired: 78,
  database_failed: 74,
  database_moved: 74,
  log_truncated: 74,
  log_inconsistent: 74,
  port_taken: 69,
  listen_failed: 69,
  nats_server_missing: 69,
  daemon_unreachable: 69,
  daemon_denied: 69,
  nats_unavailable: 69,
  nats_denied: 69,
  jetstream_unavailable: 69,
  jetstream_leaderless: 69,
  stream_missing: 69,
  stream_behind: 69,
  subject_uncaptured: 69,
  stream_refuses: 69,
  consumer_paused: 69,
  acknowledgements_lost: 69,
  consumer_shared: 69,
  identity_cloned: 69,
  jetstream_refused: 69,
  jetstream_malformed: 69,
  stream_unsuitable: 78,
  check_failed: 1,
  fixture_invalid: 78,
  archive_invalid: 78,
  events_archived: 69,
  file_failed: 74,
  // Why an outbound partner stream could not be opened, or was lost.
  address_unsupported: 69,
  address_denied: 69,
  name_unresolved: 69,
  connection_refused: 69,
  unreachable: 69,
  dial_failed: 69,
  timeout: 69,
  refused: 69,
  identity_mismatch: 69,
  identity_unsupported: 69,
  psk_mismatch: 69,
  protocol_unsupported: 69,
  stream_lost: 69,
  aborted: 1,
  // Why an inbound partner stream was refused.
  heartbeat_missing: 1,
  heartbeat_malformed: 1,
  heartbeat_too_long: 1,
  peer_id_mismatch: 1,
  ended_early: 1,
  challenge_failed: 1,
  // Why a peer's program is not known.
  identify_malformed: 1,
  not_partner: 1,
  blacklisted: 1,
  too_many_streams: 1,
  flapping: 1,
  // Why a connection was refused or cut.
  too_many_connections: 69,
  frame_invalid: 1,
  flooded: 1,
  buffer_full: 1,
  // An error in this program.
  internal_error: 1,
} as const satisfies Record<string, ExitCode>;

/** Every error code; snake_case because it is also written to the log, to SQL and to metrics. */
export type ErrorCode = keyof typeof EXIT_CODES;
export const ERROR_CODES = Object.keys(EXIT_CODES) as readonly ErrorCode[];

/**
 * Nothing answered at the address: its name does not resolve, the machine refuses, the network has no route, or no answer came in
 * time. `dial_failed` is any other failure before the far end has proved to be the peer; in older logs, of these too.
 */
const UNANSWERED = [
  "name_unresolved",
  "connection_refused",
  "unreachable",
  "timeout",
  "dial_failed",
] as const satisfies readonly ErrorCode[];

export const isUnanswered = (code: string): boolean => UNANSWERED.some((each) => each === code);

/** The limits by which this side cuts a connection whose far end exceeds them. */
export const CUT_REASONS = ["frame_invalid", "flooded", "buffer_full"] as const satisfies readonly ErrorCode[];
export type CutReason = (typeof CUT_REASONS)[number];

export const isCutReason = (code: string): code is CutReason => CUT_REASONS.some((reason) => reason === code);

/** How a partner stream ended that was not closed here: by the far end, with its connection, or by a cut of its connection. */
export type RemoteEnd = "remote_closed" | "reset" | "connection_lost" | CutReason;

/** The facts behind a message, for code that acts on them or logs them. Each is present only if it applies. */
export interface ErrorDetails {
  readonly remoteEnd?: RemoteEnd | undefined;
  /** The specific failure, if the code is less specific. */
  readonly reason?: string | undefined;
  /** The failure may pass although nothing that we were told changes: a name can resolve to another address. */
  readonly mayChange?: boolean | undefined;
  /** The failure may pass at any moment and is not one of a disk: the database is locked, or older rows are written first. */
  readonly isPassing?: boolean | undefined;
  /** The message without the place that it begins with, for callers that name the place themselves. */
  readonly problem?: string | undefined;
  /** `host:port` of the server that failed. */
  readonly server?: string | undefined;
  /** The operation that the NATS server denies, `publish` or `subscription`, and its subject. */
  readonly operation?: string | undefined;
  readonly subject?: string | undefined;
  /** JetStream's `err_code`. */
  readonly jetStreamCode?: number | undefined;
}

interface ErrorOptions {
  readonly nextStep?: string | undefined;
  readonly cause?: unknown;
  readonly details?: ErrorDetails | undefined;
}

/** An error with a code, a message that names field and value, and the next step for the reader, if there is one. */
export class PartnerdError extends Error {
  readonly code: ErrorCode;
  readonly nextStep: string | null;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "PartnerdError";
    this.code = code;
    this.nextStep = options.nextStep ?? null;
    this.details = options.details ?? {};
  }

  /** Message and next step, for a place that has one text for both. */
  get text(): string {
    return this.nextStep === null ? this.message : `${this.message}; ${this.nextStep}`;
  }

  /** The exit code of a command that ends with this error. */
  get exitCode(): ExitCode {
    return EXIT_CODES[this.code];
  }
}

/**
 * Converts any thrown value to a PartnerdError. Foreign errors get `code` and become the cause. An error in this program is always
 * `internal_error`.
 */
export function toPartnerdError(thrown: unknown, code: ErrorCode = "internal_error"): PartnerdError {
  if (thrown instanceof PartnerdError) return thrown;
  return new PartnerdError(isFault(thrown) ? "internal_error" : code, messageOf(thrown), { cause: thrown });
}

/** Errors that the language throws for mistakes in the program. Node also throws them for invalid arguments. */
const FAULTS = [TypeError, RangeError, ReferenceError, SyntaxError, EvalError, URIError];

/** True if `thrown` is a mistake in the program, and so says nothing about a peer, a server or a disk. */
export function isFault(thrown: unknown): boolean {
  if (thrown instanceof PartnerdError) return thrown.code === "internal_error";
  if (thrown instanceof AggregateError) return thrown.errors.some(isFault);
  return FAULTS.some((fault) => thrown instanceof fault);
}

/** The stack of the innermost cause, which failed first. */
export function stackOf(error: Error): string {
  const innermost = causesOf(error).at(-1) ?? error;
  return innermost.stack ?? String(innermost);
}

/** The code, else the name, of the innermost cause, such as `ECONNREFUSED`; null if `error` has no cause that names itself. */
export function causeNameOf(error: Error): string | null {
  const innermost = causesOf(error).at(-1) ?? error;
  if (innermost === error) return null;
  const first: unknown = innermost instanceof AggregateError ? innermost.errors[0] : innermost;
  if (!(first instanceof Error)) return null;
  if ("code" in first && typeof first.code === "string") return first.code;
  return first.name === "Error" ? null : first.name;
}

/** The messages of the causes of `error`; null if it has none. They may quote a far end: for the debug level only. */
export function causeTextOf(error: Error): string | null {
  const texts = causesOf(error)
    .slice(1)
    .flatMap((cause): unknown[] => (cause instanceof AggregateError ? cause.errors : [cause]))
    .map(messageOf);
  return texts.length === 0 ? null : texts.join("; ").slice(0, MAX_CAUSE_TEXT);
}

const MAX_CAUSE_TEXT = 1_024;

/** True if both failed for the same reason: codes, details and causes agree. Messages are not compared. */
export function isSameFailure(one: PartnerdError | null, other: PartnerdError | null): boolean {
  return one === other || (one !== null && other !== null && factsOf(one) === factsOf(other));
}

function factsOf(error: PartnerdError): string {
  return JSON.stringify(
    causesOf(error).map((cause) => [
      cause.name,
      "code" in cause ? cause.code : null,
      cause instanceof PartnerdError ? cause.details : null,
    ]),
  );
}

/** A chain of causes may be circular. */
const MAX_CAUSES = 8;

/** The error and its chain of causes. */
function causesOf(error: Error): readonly Error[] {
  const causes = [error];
  for (let { cause } = error; cause instanceof Error && causes.length < MAX_CAUSES; { cause } = cause) causes.push(cause);
  return causes;
}

/** The message of any thrown value. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error && thrown.message !== "" ? thrown.message : String(thrown);
}
