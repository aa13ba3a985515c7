/**
 * The program's only error type. Every error that crosses a module boundary carries a code from the table below, and only
 * the code decides what happens next, such as a command's exit code or a dial's backoff.
 */

/** Process exit codes, as in sysexits.h: 64 usage, 69 unavailable, 74 I/O, 78 configuration. */
export type ExitCode = 0 | 1 | 64 | 69 | 74 | 78;

const EXIT_CODES = {
  // Commands and startup.
  usage: 64,
  config_invalid: 78,
  identity_unsafe: 78,
  identity_invalid: 78,
  data_dir_unwritable: 74,
  data_dir_in_use: 69,
  database_newer: 78,
  database_failed: 74,
  log_truncated: 74,
  port_taken: 69,
  listen_failed: 69,
  nats_server_missing: 69,
  daemon_unreachable: 69,
  nats_unavailable: 69,
  nats_denied: 69,
  jetstream_unavailable: 69,
  stream_missing: 69,
  jetstream_refused: 69,
  stream_unsuitable: 78,
  check_failed: 1,
  fixture_invalid: 78,
  archive_invalid: 78,
  events_archived: 69,
  file_failed: 74,
  // Why an outbound partner stream could not be opened, or was lost.
  address_unsupported: 69,
  dial_failed: 69,
  timeout: 69,
  refused: 69,
  identity_mismatch: 69,
  protocol_unsupported: 69,
  stream_lost: 69,
  aborted: 1,
  // Why an inbound partner stream was not admitted.
  heartbeat_missing: 1,
  heartbeat_malformed: 1,
  heartbeat_too_long: 1,
  peer_id_mismatch: 1,
  challenge_failed: 1,
  not_partner: 1,
  blacklisted: 1,
  too_many_streams: 1,
  // A bug in oc-partnerd.
  internal: 1,
} as const satisfies Record<string, ExitCode>;

/** Error codes. In snake_case because they also appear in the log, in SQL and in metrics. */
export type ErrorCode = keyof typeof EXIT_CODES;
export const ERROR_CODES = Object.keys(EXIT_CODES) as readonly ErrorCode[];

/** An error with a code, a message that names field and value, and the next step for the reader, if there is one. */
export class PartnerdError extends Error {
  readonly code: ErrorCode;
  readonly nextStep: string | null;

  constructor(code: ErrorCode, message: string, options: { nextStep?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "PartnerdError";
    this.code = code;
    this.nextStep = options.nextStep ?? null;
  }

  /** The exit code of a command that fails with this error. */
  get exitCode(): ExitCode {
    return EXIT_CODES[this.code];
  }
}

/** Any thrown value as a PartnerdError. Other errors get `code` and become its cause. */
export function toPartnerdError(thrown: unknown, code: ErrorCode = "internal"): PartnerdError {
  return thrown instanceof PartnerdError ? thrown : new PartnerdError(code, messageOf(thrown), { cause: thrown });
}

/** The message of any thrown value. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error && thrown.message !== "" ? thrown.message : String(thrown);
}
