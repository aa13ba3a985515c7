/** What libp2p's errors mean for an attempt to open: the code decides how long the next attempt waits. */
import { type ErrorCode, messageOf, PartnerdError } from "../../base/errors.ts";

/** noise says this when somebody else answers; libp2p hands on the message and drops the error's name. */
const UNEXPECTED_PEER = "does not match expected remote identity key";

/** Errors of a dial: before the far end is known to be the peer, everything it does is a failed dial. */
export function dialError(error: unknown): PartnerdError {
  const message = detailOf(error);
  return asPartnerdError(error, dialCode(error, message), `cannot connect: ${message}`);
}

/** Errors after the handshake: the far end is the peer, and does not want to. */
export function streamError(error: unknown, protocol: string): PartnerdError {
  const message = detailOf(error);
  const code = nameOf(error) === "UnsupportedProtocolError" ? "protocol_unsupported" : (timeoutCode(error) ?? "refused");
  const what = code === "refused" ? `the peer closed while ${protocol} was being opened` : `cannot open ${protocol}`;
  return asPartnerdError(error, code, `${what}: ${message}`);
}

/** Why a signal aborted; the reconciler's reasons are PartnerdErrors, a foreign one is told apart by its name. */
export function abortError(signal: AbortSignal): PartnerdError {
  const reason: unknown = signal.reason;
  return asPartnerdError(reason, nameOf(reason) === "TimeoutError" ? "timeout" : "aborted", messageOf(reason));
}

function dialCode(error: unknown, message: string): ErrorCode {
  if (message.includes(UNEXPECTED_PEER)) return "identity_mismatch";
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

/** An abort that is not ours is libp2p's own time limit. */
function timeoutCode(error: unknown): "timeout" | undefined {
  return nameOf(error) === "TimeoutError" || nameOf(error) === "AbortError" ? "timeout" : undefined;
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : "");

/** A host name with several addresses fails with one error for each, and no message of its own. */
const detailOf = (error: unknown): string =>
  error instanceof AggregateError ? error.errors.map((each) => messageOf(each)).join("; ") : messageOf(error);

const asPartnerdError = (error: unknown, code: ErrorCode, message: string): PartnerdError =>
  error instanceof PartnerdError ? error : new PartnerdError(code, message, { cause: error });
