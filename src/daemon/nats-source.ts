/** Chooses the NATS server: the configured one, else the one on this machine, else a private child process. */
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type { Config } from "../config/schema.ts";
import type { NatsConfig } from "../nats/connection/config.ts";
import { type NatsUrl, parseNatsUrl } from "../nats/connection/server-address.ts";
import { natsAnswers } from "../nats/connection/tls-first.ts";
import { startPrivateServer } from "../nats/server/private-server.ts";

const LOCAL_URL = "nats://127.0.0.1:4222";
const GREETING_TIMEOUT_MS = 1_000;

interface SourceDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts starting a private server, which then rejects with the signal's reason. */
  readonly signal: AbortSignal;
  /** Disposes parts together with the daemon. */
  readonly owner: AsyncDisposableStack;
  /** Where to look for a server on this machine. Default: the usual port on loopback. */
  readonly localUrl?: string;
}

export interface NatsSource {
  readonly config: NatsConfig;
  /** True if the server is our child process, so no operator has set it up. */
  readonly isPrivate: boolean;
}

export async function natsSource(config: Config, deps: SourceDependencies): Promise<NatsSource> {
  if (config.nats.url !== undefined || config.nats.urlFile !== undefined) return { config: natsConfig(config), isPrivate: false };
  const { clock, logger, env, signal, owner, localUrl = LOCAL_URL } = deps;
  const { hostname, port } = new URL(localUrl);
  if (await natsAnswers(hostname, Number(port), GREETING_TIMEOUT_MS, clock, config.nats.tls)) {
    logger.info({ url: localUrl }, "nats.url is not set: connecting to the usual address on this machine");
    return { config: natsConfig(config, parseNatsUrl(localUrl)), isPrivate: false };
  }
  const server = owner.use(await startPrivateServer({ dataDir: config.data, env, clock, logger, signal }));
  return { config: natsConfig(config, parseNatsUrl(server.url)), isPrivate: true };
}

/** The NATS client options from the configuration. `url` overrides the configured server, or the one on this machine. */
export function natsConfig(config: Config, url: NatsUrl = config.nats.url ?? parseNatsUrl(LOCAL_URL)): NatsConfig {
  const {
    url: _url,
    mode: _mode,
    stream: _stream,
    consumer: _consumer,
    headSubject: _head,
    heads: _heads,
    ...others
  } = config.nats;
  return { ...others, servers: url.servers, name: `oc-partnerd ${config.name}` };
}
