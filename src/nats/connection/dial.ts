/** One attempt to connect to one server. connection.ts decides on retries, each with a new client. */

import type { Clock } from "../../base/clock.ts";
import { messageOf, PartnerdError } from "../../base/errors.ts";
import { abortable } from "../../base/pause.ts";
import { connect, type NatsConnection, NatsError, NatsErrorCode, type Status, type TlsOptions } from "./client.ts";
import type { NatsConfig } from "./config.ts";
import { authenticatorFor, expiredCredentials } from "./credentials.ts";
import { hostAndPort, type ServerAddress } from "./server-address.ts";
import { greetsInsideTls } from "./tls-first.ts";

/** Limit for the greeting, and again for the handshake. */
const DIAL_TIMEOUT_MS = 5_000;

/** A dead link is noticed after (MAX_PINGS_OUT + 1) × PING_INTERVAL_MS: half a minute, where the client's default is six minutes. */
const PING_INTERVAL_MS = 10_000;
const MAX_PINGS_OUT = 2;

/**
 * Resolves to a connected client. Rejects with nats_unavailable naming the server and the reason, with config_invalid if the
 * credentials have become unreadable, or with the reason of `signal`; a connection made after that is closed.
 */
export async function dial(
  config: NatsConfig,
  server: ServerAddress,
  clock: Clock,
  signal: AbortSignal,
): Promise<NatsConnection> {
  const authenticator = authenticatorFor(config, server);
  const isTlsFirst = await greetsInsideTls(server, { tls: config.tls, timeoutMs: DIAL_TIMEOUT_MS, clock, signal });
  const tls = tlsOptions(config, server, isTlsFirst);
  const connecting = connect({
    servers: [hostAndPort({ ...server, host: server.address ?? server.host })],
    name: config.name,
    timeout: DIAL_TIMEOUT_MS,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: MAX_PINGS_OUT,
    reconnect: false,
    // The client would ask only DNS; the system's resolver also knows /etc/hosts and search domains.
    resolve: false,
    // KnownServers tries the servers learned from this one.
    ignoreClusterUpdates: true,
    ...(authenticator && { authenticator }),
    ...(tls && { tls }),
  });
  try {
    return await abortable(connecting, signal, (late) => void closeQuietly(late));
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const expired = isRefusal(error) ? expiredCredentials(config, clock.wallMs()) : undefined;
    if (expired !== undefined) throw expiredAt(server, expired, error);
    throw new PartnerdError("nats_unavailable", `NATS at ${hostAndPort(server)}: ${describe(error)}`, {
      nextStep: "check nats.url, the credentials and TLS against the server's configuration",
      cause: error,
      details: { server: hostAndPort(server) },
    });
  }
}

/** A server refuses expired credentials with the same words as wrong ones. */
function isRefusal(error: unknown): boolean {
  return (
    error instanceof NatsError &&
    (error.code === NatsErrorCode.AuthorizationViolation ||
      error.code === NatsErrorCode.BadAuthentication ||
      error.code === NatsErrorCode.AuthenticationExpired)
  );
}

function expiredAt(server: ServerAddress, expired: string, cause: unknown): PartnerdError {
  return new PartnerdError("nats_unavailable", `NATS at ${hostAndPort(server)}: ${expired}`, {
    nextStep: "replace the file; it is read again at every attempt to connect",
    cause,
    details: { server: hostAndPort(server), reason: "credentials_expired" },
  });
}

/** Closes a client and ignores any error. */
export async function closeQuietly(client: NatsConnection): Promise<void> {
  await client.close().catch(() => {});
}

/**
 * Round trip: everything sent before has reached the server. Rejects if the connection closes first; the client would never
 * settle.
 */
export async function flush(client: NatsConnection): Promise<void> {
  const closed = client.closed().then((error) => {
    const why = error ? `: ${describe(error)}` : "";
    throw new PartnerdError("nats_unavailable", `the NATS connection was closed${why}`, { cause: error ?? undefined });
  });
  await Promise.race([client.flush(), closed]);
}

/** A client's error in words; the client's own message is often only a code. */
export function describe(error: unknown): string {
  if (!(error instanceof NatsError)) return messageOf(error);
  switch (error.code) {
    case NatsErrorCode.AuthorizationViolation:
    case NatsErrorCode.BadAuthentication:
      return "the server refused the credentials (authorization violation)";
    case NatsErrorCode.AuthenticationExpired:
    case NatsErrorCode.AccountExpired:
      return "the credentials have expired";
    case NatsErrorCode.Timeout:
    case NatsErrorCode.ConnectionTimeout:
      return "the server did not complete the connection in time";
    case NatsErrorCode.ConnectionRefused:
      return "connection refused";
    case NatsErrorCode.ServerOptionNotAvailable:
      return `the server does not offer ${error.message}`;
    default:
      return messageOf(error.chainedError ?? error);
  }
}

/** True if the server ends the session because our credentials have expired. */
export function isExpiry({ data }: Status): boolean {
  return data === NatsErrorCode.AuthenticationExpired || data === NatsErrorCode.AccountExpired;
}

/** A server's error on an open connection, in words. */
export function describeEvent(event: Status): string {
  const denied = event.permissionContext;
  if (denied) return `the server denies the ${denied.operation} "${denied.subject}"`;
  if (isExpiry(event)) return "the credentials have expired";
  return `the server reports ${typeof event.data === "string" ? event.data : "an error"}`;
}

/** The same as an error: `nats_denied` with the subject, or `nats_unavailable` with the client's code. */
export function eventError(event: Status): PartnerdError {
  const { permissionContext: denied, data } = event;
  const reason = typeof data === "string" ? data : undefined;
  return denied
    ? new PartnerdError("nats_denied", describeEvent(event), {
        details: { operation: denied.operation, subject: denied.subject },
      })
    : new PartnerdError("nats_unavailable", describeEvent(event), { details: { reason } });
}

/** `host` is the name that the certificate must match; without it, the client checks against "localhost" when given an IP address. */
function tlsOptions(
  { tls }: NatsConfig,
  { host, tls: isRequired }: ServerAddress,
  handshakeFirst: boolean,
): (TlsOptions & { host: string }) | undefined {
  const { caFile, certFile, keyFile } = tls ?? {};
  if (!isRequired && !handshakeFirst && (caFile ?? certFile ?? keyFile) === undefined) return undefined;
  return { host, handshakeFirst, ...(caFile && { caFile }), ...(certFile && { certFile }), ...(keyFile && { keyFile }) };
}
