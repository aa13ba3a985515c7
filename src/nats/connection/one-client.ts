/** A connection for one piece of work, as commands need it. Whoever stays connected takes connection.ts. */

import { type Clock, deadline } from "../../base/clock.ts";
import { PartnerdError, toPartnerdError } from "../../base/errors.ts";
import type { NatsConnection } from "./client.ts";
import type { NatsConfig } from "./config.ts";
import { closeQuietly, dial } from "./dial.ts";
import { hostAndPort, parseServers } from "./server-address.ts";

export interface OneClientOptions {
  readonly clock: Clock;
  /** For connecting and the work together. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** `server` is its `host:port`; `signal` aborts when the time is over. */
type ClientWork<Result> = (client: NatsConnection, server: string, signal: AbortSignal) => Promise<Result>;

/**
 * Connects to the first of the configured servers that takes us, does `work`, and closes the connection. Rejects with
 * nats_unavailable where no server takes us in time (the work's own signal says `did not ${what} within …`), config_invalid for
 * unusable credentials, and with whatever the work rejects with.
 */
export async function withOneClient<Result>(
  config: NatsConfig,
  what: string,
  { clock, timeoutMs, signal }: OneClientOptions,
  work: ClientWork<Result>,
): Promise<Result> {
  const servers = parseServers(config.servers);
  const names = servers.map(hostAndPort).join(", ");
  const late = () =>
    new PartnerdError("nats_unavailable", `NATS at ${names} did not ${what} within ${timeoutMs} ms`, {
      nextStep: "Check that the NATS server runs and is reachable.",
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
