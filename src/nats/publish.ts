/** One message, published with plain core publish, as the source app does. */
import { Events, type NatsConnection, type Status } from "nats";
import { type Clock, deadline } from "../clock.ts";
import { PartnerdError, toPartnerdError } from "../errors.ts";
import type { NatsConfig } from "./config.ts";
import { closeQuietly, describe, describeEvent, dial, flush } from "./dial.ts";
import { hostAndPort, parseServers } from "./server-address.ts";

const DEFAULT_TIMEOUT_MS = 10_000;

interface PublishOptions {
  readonly clock: Clock;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * Publishes and resolves, to the server's `host:port`, once the server has taken the message. The servers are tried in order.
 * Rejects with nats_unavailable when none does so in time, config_invalid for unusable credentials, usage for a message over
 * the server's limit. Core NATS tells no publisher whether anyone listens.
 */
export async function publishOnce(
  config: NatsConfig,
  subject: string,
  payload: Uint8Array,
  options: PublishOptions,
): Promise<string> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const servers = parseServers(config.servers);
  const names = servers.map(hostAndPort).join(", ");
  const late = () =>
    new PartnerdError("nats_unavailable", `NATS at ${names} did not take the message within ${timeoutMs} ms`, {
      nextStep: "Check that the NATS server runs and is reachable.",
    });
  using limit = deadline(options.clock, timeoutMs, late, options.signal);
  let failure: PartnerdError = late();
  for (const server of servers) {
    let client: NatsConnection;
    try {
      client = await dial(config, server, options.clock, limit.signal);
    } catch (error) {
      failure = toPartnerdError(error, "nats_unavailable");
      continue;
    }
    try {
      await send(client, subject, payload, options.clock, limit.signal);
      return hostAndPort(server);
    } finally {
      await closeQuietly(client);
    }
  }
  throw failure;
}

async function send(
  client: NatsConnection,
  subject: string,
  payload: Uint8Array,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const limit = client.info?.max_payload;
  if (limit !== undefined && payload.length > limit) {
    throw new PartnerdError("usage", `the message has ${payload.length} bytes, but the NATS server takes at most ${limit}`, {
      nextStep: "Publish a smaller message, or raise max_payload at the server.",
    });
  }
  const complaints: Status[] = [];
  void collectErrors(client, complaints);
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    signal.throwIfAborted();
    client.publish(subject, payload);
    await Promise.race([flush(client), aborted.promise]);
    // A denial arrives before the flush is through, but the client hands it on a few microtasks later.
    await new Promise<void>((resolve) => clock.schedule(0, resolve));
    const [complaint] = complaints;
    if (complaint !== undefined) {
      throw new PartnerdError("nats_unavailable", `NATS did not take the message: ${describeEvent(complaint)}`, {
        nextStep: "Give the user permission to publish to that subject, or use other credentials.",
      });
    }
  } catch (error) {
    throw error instanceof PartnerdError ? error : new PartnerdError("nats_unavailable", describe(error), { cause: error });
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function collectErrors(client: NatsConnection, into: Status[]): Promise<void> {
  for await (const event of client.status()) if (event.type === Events.Error) into.push(event);
}
