/** Publishes one message with a plain core publish, as the apps do. */

import type { Clock } from "../base/clock.ts";
import { PartnerdError } from "../base/errors.ts";
import { abortable } from "../base/pause.ts";
import { Events, type NatsConnection, type Status } from "./connection/client.ts";
import type { NatsConfig } from "./connection/config.ts";
import { describe, describeEvent, flush } from "./connection/dial.ts";
import { withOneClient } from "./connection/one-client.ts";
import type { ResolveName } from "./connection/server-names.ts";

const DEFAULT_TIMEOUT_MS = 10_000;

interface SendOptions {
  readonly clock: Clock;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly resolve?: ResolveName | undefined;
}

/**
 * Publishes, trying each address of the servers in order; resolves to the `host:port` of the one that accepted the message. Rejects
 * with nats_unavailable if none does in time, config_invalid for unusable credentials, usage for a message over the server's limit.
 * Core NATS does not tell a publisher whether anyone is subscribed.
 */
export function publishOnce(config: NatsConfig, subject: string, payload: Uint8Array, options: SendOptions): Promise<string> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  return withOneClient(config, "accept the message", { ...options, timeoutMs }, async (client, server, limit) => {
    await send(client, subject, payload, options.clock, limit);
    return server;
  });
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
    throw new PartnerdError("usage", `the message has ${payload.length} bytes, but the NATS server accepts at most ${limit}`, {
      nextStep: "publish a smaller message, or raise max_payload on the server",
    });
  }
  const complaints: Status[] = [];
  void collectErrors(client, complaints);
  try {
    signal.throwIfAborted();
    client.publish(subject, payload);
    await abortable(flush(client), signal);
    // A denial arrives before the flush completes, but the client reports it a few microtasks later.
    await new Promise<void>((resolve) => clock.schedule(0, resolve));
    const [complaint] = complaints;
    if (complaint !== undefined) {
      throw new PartnerdError("nats_unavailable", `NATS did not accept the message: ${describeEvent(complaint)}`, {
        nextStep: "give the user permission to publish to that subject, or use other credentials",
      });
    }
  } catch (error) {
    throw error instanceof PartnerdError ? error : new PartnerdError("nats_unavailable", describe(error), { cause: error });
  }
}

async function collectErrors(client: NatsConnection, into: Status[]): Promise<void> {
  for await (const event of client.status()) if (event.type === Events.Error) into.push(event);
}
