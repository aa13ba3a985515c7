/** Finds out whether a server wants the TLS handshake before its greeting (nats-server: `handshake_first`). */
import type { SecureContextOptions } from "node:tls";
import { type Clock, systemClock } from "../../base/clock.ts";
import { isFault, PartnerdError } from "../../base/errors.ts";
import { pause } from "../../base/pause.ts";
import { readConfigured } from "../../base/setting-file.ts";
import type { NatsTlsConfig } from "./config.ts";
import { expectGreeting } from "./discover.ts";
import type { ServerAddress } from "./server-address.ts";

/** A server that greets first does so within a round trip. */
const HEAD_START_MS = 500;

interface GreetingOptions {
  readonly tls: NatsTlsConfig | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Waits for the server's greeting; resolves to true if it came after a TLS handshake. With `handshakeFirst: auto`, a server that does
 * not greet soon is tried both ways at once. Rejects as expectGreeting does, or with config_invalid if a TLS file is unreadable.
 */
export async function greetsInsideTls(server: ServerAddress, options: GreetingOptions): Promise<boolean> {
  const { tls, timeoutMs, clock, signal } = options;
  const { handshakeFirst = "auto" } = tls ?? {};
  const won = new AbortController();
  const either = AbortSignal.any([signal, won.signal]);
  const plain = async () => {
    await expectGreeting(server, timeoutMs, clock, either);
    return false;
  };
  const secure = async () => {
    await expectGreeting(server, timeoutMs, clock, either, contextOf(tls));
    return true;
  };
  if (handshakeFirst === "yes") return secure();
  if (handshakeFirst === "no") return plain();
  const first = plain();
  const second = first.catch((error: unknown) => {
    if (!mayWantTls(error)) won.abort(error);
  });
  try {
    const afterHeadStart = async () => {
      await pause(clock, HEAD_START_MS, either);
      either.throwIfAborted();
      return secure().catch((error: unknown) => {
        if (isTelling(error)) won.abort(error);
        throw error;
      });
    };
    return await Promise.any([first, afterHeadStart()]);
  } catch (error) {
    signal.throwIfAborted();
    throw moreTelling(error);
  } finally {
    won.abort();
    await second;
  }
}

/**
 * Whether a NATS server answers at `host`:`port`; a server that greets, inside TLS or before it, does so within `timeoutMs`. True also
 * if TLS fails there: connecting to it then says why.
 */
export async function natsAnswers(
  host: string,
  port: number,
  timeoutMs: number,
  clock: Clock = systemClock,
  tls?: NatsTlsConfig,
): Promise<boolean> {
  const server: ServerAddress = { host, port, tls: false, credentials: { kind: "none" } };
  try {
    await greetsInsideTls(server, { tls, timeoutMs, clock, signal: new AbortController().signal });
    return true;
  } catch (error) {
    return wantsTls(error);
  }
}

/** A server that wants TLS first stays silent, or hangs up when it has waited long enough. */
function mayWantTls(error: unknown): boolean {
  return error instanceof PartnerdError && (error.details.reason === "silent" || error.details.reason === "closed");
}

/** The failure inside TLS if the far end speaks it; else that of the greeting. */
function moreTelling(thrown: unknown): unknown {
  if (!(thrown instanceof AggregateError)) return thrown;
  const [plain, secure] = thrown.errors as readonly unknown[];
  return isTelling(secure) ? secure : plain;
}

/** The far end speaks TLS, whether it is NATS or not. */
function isTelling(error: unknown): boolean {
  return wantsTls(error) || (error instanceof PartnerdError && error.details.reason === "not_nats");
}

function wantsTls(error: unknown): boolean {
  return (
    isFault(error) || (error instanceof PartnerdError && (error.details.reason === "tls" || error.code === "config_invalid"))
  );
}

function contextOf({ caFile, certFile, keyFile }: NatsTlsConfig = {}): SecureContextOptions {
  return {
    ...(caFile !== undefined && { ca: readConfigured("nats.tls.caFile", caFile) }),
    ...(certFile !== undefined && { cert: readConfigured("nats.tls.certFile", certFile) }),
    ...(keyFile !== undefined && { key: readConfigured("nats.tls.keyFile", keyFile) }),
  };
}
