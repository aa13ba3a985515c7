/** A connection for one piece of work, for commands. The daemon uses connection.ts. */

import { type Clock, deadline } from "../../base/clock.ts";
import { PartnerdError, toPartnerdError } from "../../base/errors.ts";
import type { NatsConnection } from "./client.ts";
import type { NatsConfig } from "./config.ts";
import { closeQuietly, dial } from "./dial.ts";
import { configuredServers } from "./known-servers.ts";
import { hostAndPort, type ServerAddress } from "./server-address.ts";
import { eachAddress, type ResolveName, systemResolver } from "./server-names.ts";

export interface OneClientOptions {
  readonly clock: Clock;
  /** Covers connecting and the work together. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Resolves the names of servers; default: as the system does. */
  readonly resolve?: ResolveName | undefined;
}

/** `server` is its `host:port`; `signal` aborts at the time limit. */
type ClientWork<Result> = (client: NatsConnection, server: string, signal: AbortSignal) => Promise<Result>;

/**
 * Connects to the first address of a configured server that accepts us, does `work`, and closes the connection. Rejects with
 * nats_unavailable if no server accepts us in time (the reason of the work's signal is `did not ${what} within …`), with
 * config_invalid for unusable credentials, or as the work does.
 */
export async function withOneClient<Result>(
  config: NatsConfig,
  what: string,
  { clock, timeoutMs, signal, resolve = systemResolver }: OneClientOptions,
  work: ClientWork<Result>,
): Promise<Result> {
  const servers = configuredServers(config);
  const names = servers.map(hostAndPort).join(", ");
  const late = () =>
    new PartnerdError("nats_unavailable", `NATS at ${names} did not ${what} within ${timeoutMs} ms`, {
      nextStep: "check that the NATS server is running and reachable",
    });
  using limit = deadline(clock, timeoutMs, late, signal);
  const endsAtMs = clock.monotonicMs() + timeoutMs;
  const each = (await Promise.all(servers.map((server) => eachAddress(server, resolve, limit.signal)))).flat();
  let failure: PartnerdError = late();
  for (const [index, server] of each.entries()) {
    let client: NatsConnection;
    try {
      // One that hangs must leave time for the others.
      const shareMs = (endsAtMs - clock.monotonicMs()) / (each.length - index);
      using attempt = deadline(clock, shareMs, () => silent(server, shareMs), limit.signal);
      client = await dial(config, server, clock, attempt.signal);
    } catch (error) {
      failure = toPartnerdError(error, "nats_unavailable");
      continue;
    }
    try {
      return await work(client, hostAndPort(server), limit.signal);
    } finally {
      await closeQuietly(client);
    }
  }
  throw failure;
}

function silent(server: ServerAddress, shareMs: number): PartnerdError {
  return new PartnerdError("nats_unavailable", `NATS at ${hostAndPort(server)}: no connection within ${Math.round(shareMs)} ms`, {
    nextStep: "check that the NATS server is running and reachable",
  });
}
