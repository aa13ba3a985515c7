/** A connection for one piece of work, for commands. The daemon uses connection.ts. */

import { type Clock, deadline } from "../../base/clock.ts";
import { PartnerdError, toPartnerdError } from "../../base/errors.ts";
import type { NatsConnection } from "./client.ts";
import type { NatsConfig } from "./config.ts";
import { closeQuietly, dial } from "./dial.ts";
import { configuredServers } from "./known-servers.ts";
import { hostAndPort } from "./server-address.ts";

export interface OneClientOptions {
  readonly clock: Clock;
  /** Covers connecting and the work together. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** `server` is its `host:port`; `signal` aborts at the time limit. */
type ClientWork<Result> = (client: NatsConnection, server: string, signal: AbortSignal) => Promise<Result>;

/**
 * Connects to the first configured server that accepts us, does `work`, and closes the connection. Rejects with nats_unavailable
 * if no server accepts us in time (the reason of the work's signal is `did not ${what} within …`), with config_invalid for unusable
 * credentials, or as the work does.
 */
export async function withOneClient<Result>(
  config: NatsConfig,
  what: string,
  { clock, timeoutMs, signal }: OneClientOptions,
  work: ClientWork<Result>,
): Promise<Result> {
  const servers = configuredServers(config);
  const names = servers.map(hostAndPort).join(", ");
  const late = () =>
    new PartnerdError("nats_unavailable", `NATS at ${names} did not ${what} within ${timeoutMs} ms`, {
      nextStep: "check that the NATS server is running and reachable",
    });
  using limit = deadline(clock, timeoutMs, late, signal);
  let failure: PartnerdError = late();
  for (const server of servers) {
    let client: NatsConnection;
    try {
      client = await dial(config, server, clock, limit.signal);
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
