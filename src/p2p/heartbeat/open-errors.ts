/**
 * Maps libp2p's errors to ours. The code decides how long the next attempt waits. Our own faults always stay `internal_error`.
 *
 * Messages are our own words. Texts of libraries may quote bytes of the far end, so they stay in the cause, which only the debug level
 * of the service log shows.
 */
import { constants } from "node:os";
import { type ErrorCode, isFault, isUnanswered, PartnerdError, type RemoteEnd, toPartnerdError } from "../../base/errors.ts";
import { type ConnectionCut, cutError } from "../budgets/cuts.ts";
import type { HostConnection } from "../host/host.ts";
import { isUnexpectedPeer } from "../host/unexpected-peer.ts";

/** Errors of a dial: until the far end has proved to be the peer, any failure is a failed dial. */
export function dialError(error: unknown): PartnerdError {
  if (isFault(error)) return toPartnerdError(error);
  const own = errorsIn(error).find((each) => each instanceof PartnerdError);
  if (own instanceof PartnerdError) return own;
  const { code, why } = dialFailure(error);
  return asPartnerdError(error, code, `cannot connect: ${why}`);
}

/** One error for the failures of all addresses of a peer, at least one. Its code is that of the failure that is retried soonest. */
export function dialErrors(failures: readonly PartnerdError[]): PartnerdError {
  const soonest = failures.find(({ code }) => isUnanswered(code)) ?? failures[0];
  if (soonest === undefined) throw new RangeError("no address was dialled");
  if (failures.length === 1) return soonest;
  const each = [...new Set(failures.map(({ text }) => text))].join("; ");
  return new PartnerdError(soonest.code, `none of ${failures.length} addresses answered: ${each}`, {
    cause: soonest.cause,
    details: soonest.details,
  });
}

/** Errors after the handshake: the far end is the peer, and did not accept the stream, or this side has cut the connection. */
export function streamError(
  error: unknown,
  protocol: string,
  connection: HostConnection,
  cut: ConnectionCut | undefined,
): PartnerdError {
  if (isFault(error)) return toPartnerdError(error);
  if (cut !== undefined) return cutError(cut);
  const code = nameOf(error) === "UnsupportedProtocolError" ? "protocol_unsupported" : (timeoutCode(error) ?? "refused");
  return asPartnerdError(error, code, streamFailure(code, protocol), endOf(error, connection));
}

/** An old connection closed under the new stream. The peer has not refused, so the next attempt comes sooner than after a refusal. */
export function connectionLost(error: unknown, cut: ConnectionCut | undefined): PartnerdError {
  if (isFault(error)) return toPartnerdError(error);
  if (cut !== undefined) return cutError(cut);
  return new PartnerdError("stream_lost", "the connection ended while the stream was being opened", {
    cause: error,
    details: { remoteEnd: "connection_lost" },
  });
}

/** Errors on an established stream. */
export function renewError(error: unknown, connection: HostConnection, cut: ConnectionCut | undefined): PartnerdError {
  if (isFault(error)) return toPartnerdError(error);
  return new PartnerdError("stream_lost", "the stream failed", {
    cause: error,
    details: { remoteEnd: cut?.reason ?? endOf(error, connection) },
  });
}

/** Why a signal aborted. The reconciler's reasons are PartnerdErrors; a foreign one is recognized by its name. */
export function abortError(signal: AbortSignal): PartnerdError {
  const reason: unknown = signal.reason;
  const code = nameOf(reason) === "TimeoutError" ? "timeout" : "aborted";
  return asPartnerdError(reason, code, code === "timeout" ? "the time limit passed" : "the operation was aborted");
}

interface DialFailure {
  readonly code: ErrorCode;
  readonly why: string;
}

function dialFailure(error: unknown): DialFailure {
  const errors = errorsIn(error);
  if (errors.some(isUnexpectedPeer)) return { code: "identity_mismatch", why: "the far end has another PeerID" };
  switch (nameOf(error)) {
    case "DialDeniedError":
    case "ConnectionInterceptedError":
      return { code: "refused", why: "the peer is denied here" };
    case "ConnectionClosedError":
    case "MuxerUnavailableError":
      return { code: "refused", why: "the peer closed the connection while it was being set up" };
    case "NoValidAddressesError":
      return { code: "address_unsupported", why: "libp2p cannot dial the address" };
    default:
      if (timeoutCode(error) !== undefined) return { code: "timeout", why: "no answer in time" };
      return { code: dialCode(errors[0]), why: [...new Set(errors.map(dialProblem))].join("; ") };
  }
}

/** The kinds of failure that the system tells apart. */
const DIAL_CODES: Readonly<Record<string, ErrorCode>> = {
  ECONNREFUSED: "connection_refused",
  EHOSTUNREACH: "unreachable",
  ENETDOWN: "unreachable",
  ENETUNREACH: "unreachable",
  ETIMEDOUT: "timeout",
};

function dialCode(error: unknown): ErrorCode {
  return DIAL_CODES[systemCodeOf(error) ?? ""] ?? "dial_failed";
}

/** The usual errors of the system, in words. */
const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EPIPE: "connection reset",
  EHOSTUNREACH: "no route to the host",
  ENETDOWN: "the network is down",
  ENETUNREACH: "no route to the network",
  EADDRNOTAVAIL: "no local address or port is free",
  ETIMEDOUT: "no answer in time",
  EMFILE: "out of file descriptors",
  ENFILE: "out of file descriptors",
};

function dialProblem(error: unknown): string {
  const code = systemCodeOf(error);
  if (code !== undefined) return SYSTEM_ERRORS[code] ?? `system error ${code}`;
  return nameOf(error) === "EncryptionFailedError"
    ? "the far end did not complete the encryption handshake"
    : "the far end did not complete the connection";
}

/** Only the system's own codes. */
function systemCodeOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && Object.hasOwn(constants.errno, code) ? code : undefined;
}

function streamFailure(code: ErrorCode, protocol: string): string {
  if (code === "protocol_unsupported") return `the peer does not support ${protocol}`;
  return code === "refused"
    ? `the peer closed while ${protocol} was being opened`
    : `no answer while ${protocol} was being opened`;
}

/** An abort that is not ours is libp2p's own timeout. */
function timeoutCode(error: unknown): "timeout" | undefined {
  return nameOf(error) === "TimeoutError" || nameOf(error) === "AbortError" ? "timeout" : undefined;
}

/** How the far end ended the stream; undefined if it did not. */
function endOf(error: unknown, connection: HostConnection): RemoteEnd | undefined {
  if (connection.status !== "open") return "connection_lost";
  if (nameOf(error) === "StreamResetError") return "reset";
  return nameOf(error) === "UnexpectedEOFError" ? "remote_closed" : undefined;
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : "");

/** A host name with several addresses fails with one error for each and an empty message of its own. */
const errorsIn = (error: unknown): readonly unknown[] =>
  error instanceof AggregateError ? error.errors.flatMap(errorsIn) : [error];

const asPartnerdError = (error: unknown, code: ErrorCode, message: string, remoteEnd?: RemoteEnd): PartnerdError =>
  error instanceof PartnerdError ? error : new PartnerdError(code, message, { cause: error, details: { remoteEnd } });
