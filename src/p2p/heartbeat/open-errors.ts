/** Maps libp2p's errors to ours. The code decides how long the next attempt waits. Our own faults always stay `internal_error`. */
import { type ErrorCode, isFault, messageOf, PartnerdError, type RemoteEnd, toPartnerdError } from "../../base/errors.ts";
import type { HostConnection } from "../host/host.ts";
import { isUnexpectedPeer } from "../host/unexpected-peer.ts";

/** Errors of a dial: until the far end has proved to be the peer, any failure is a failed dial. */
export function dialError(error: unknown): PartnerdError {
  if (isFault(error)) return toPartnerdError(error);
  const own = errorsIn(error).find((each) => each instanceof PartnerdError);
  return asPartnerdError(own ?? error, dialCode(error), `cannot connect: ${detailOf(error)}`);
}

/** Errors after the handshake: the far end is the peer, and did not accept the stream. */
export function streamError(error: unknown, protocol: string, connection: HostConnection): PartnerdError {
  if (isFault(error)) return toPartnerdError(error);
  const code = nameOf(error) === "UnsupportedProtocolError" ? "protocol_unsupported" : (timeoutCode(error) ?? "refused");
  const what = code === "refused" ? `the peer closed while ${protocol} was being opened` : `cannot open ${protocol}`;
  return asPartnerdError(error, code, `${what}: ${detailOf(error)}`, endOf(error, connection));
}

/** An old connection closed under the new stream. The peer has not refused, so the next attempt comes sooner than after a refusal. */
export function connectionLost(error: unknown): PartnerdError {
  if (isFault(error)) return toPartnerdError(error);
  return new PartnerdError("stream_lost", "the connection ended while the stream was being opened", {
    cause: error,
    details: { remoteEnd: "connection_lost" },
  });
}

/** Errors on an established stream. */
export function renewError(error: unknown, connection: HostConnection): PartnerdError {
  if (isFault(error)) return toPartnerdError(error);
  return new PartnerdError("stream_lost", `the stream failed: ${detailOf(error)}`, {
    cause: error,
    details: { remoteEnd: endOf(error, connection) },
  });
}

/** Why a signal aborted. The reconciler's reasons are PartnerdErrors; a foreign one is recognized by its name. */
export function abortError(signal: AbortSignal): PartnerdError {
  const reason: unknown = signal.reason;
  return asPartnerdError(reason, nameOf(reason) === "TimeoutError" ? "timeout" : "aborted", messageOf(reason));
}

function dialCode(error: unknown): ErrorCode {
  if (errorsIn(error).some(isUnexpectedPeer)) return "identity_mismatch";
  switch (nameOf(error)) {
    case "DialDeniedError":
    case "ConnectionInterceptedError":
    case "ConnectionClosedError":
    case "MuxerUnavailableError":
      return "refused";
    case "NoValidAddressesError":
      return "address_unsupported";
    default:
      return timeoutCode(error) ?? "dial_failed";
  }
}

/** An abort that is not ours is libp2p's own timeout. */
function timeoutCode(error: unknown): "timeout" | undefined {
  return nameOf(error) === "TimeoutError" || nameOf(error) === "AbortError" ? "timeout" : undefined;
}

/** How the far end ended the stream; undefined if it did not. */
function endOf(error: unknown, { status }: HostConnection): RemoteEnd | undefined {
  if (status !== "open") return "connection_lost";
  if (nameOf(error) === "StreamResetError") return "reset";
  return nameOf(error) === "UnexpectedEOFError" ? "remote_closed" : undefined;
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : "");

/** A host name with several addresses fails with one error for each and an empty message of its own. */
const errorsIn = (error: unknown): readonly unknown[] =>
  error instanceof AggregateError ? error.errors.flatMap(errorsIn) : [error];

const detailOf = (error: unknown): string => errorsIn(error).map(messageOf).join("; ");

const asPartnerdError = (error: unknown, code: ErrorCode, message: string, remoteEnd?: RemoteEnd): PartnerdError =>
  error instanceof PartnerdError ? error : new PartnerdError(code, message, { cause: error, details: { remoteEnd } });
