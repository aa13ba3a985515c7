/** The servers to connect to: the configured ones, and the other members of their cluster. */
import type { Random } from "../../base/clock.ts";
import { readSecret } from "../../base/setting-file.ts";
import type { NatsConfig } from "./config.ts";
import { hostAndPort, parseNatsUrl, type ServerAddress, serverIn } from "./server-address.ts";

/** Most cluster members that are remembered. */
const MAX_LEARNED_SERVERS = 64;

/** The configured servers. Reads `nats.urlFile`; throws config_invalid if it is unusable. */
export function configuredServers({ servers, urlFile }: NatsConfig): readonly ServerAddress[] {
  return urlFile === undefined ? servers : parseNatsUrl(readSecret("nats.urlFile", urlFile).reveal(), "nats.urlFile").servers;
}

export class KnownServers {
  readonly #config: NatsConfig;
  #configured: readonly ServerAddress[];
  #learned: readonly Pick<ServerAddress, "host" | "port">[] = [];

  /** Throws config_invalid if `nats.urlFile` is unusable. */
  constructor(config: NatsConfig) {
    this.#config = config;
    this.#configured = configuredServers(config);
  }

  /** Reads `nats.urlFile` again, which may have been rotated. If that throws config_invalid, the servers stay as they were. */
  reread(): void {
    this.#configured = configuredServers(this.#config);
  }

  /** Every known server once, in random order. */
  shuffled(random: Random): readonly ServerAddress[] {
    const [first] = this.#configured;
    const learned = first === undefined ? [] : this.#learned.map((server) => ({ ...first, ...server }));
    const known = new Map([...learned, ...this.#configured].map((server) => [hostAndPort(server), server]));
    return [...known.values()]
      .map((server) => ({ server, order: random.next() }))
      .sort((a, b) => a.order - b.order)
      .map(({ server }) => server);
  }

  /** Learned members use the user info and TLS of the first configured server, since a cluster shares its accounts. */
  learn(urls: readonly string[] | undefined): void {
    if (urls === undefined) return;
    this.#learned = urls.slice(0, MAX_LEARNED_SERVERS).flatMap((url) => {
      const server = serverIn(url);
      // An invalid address from a server is ignored; the configured servers remain.
      return "problem" in server ? [] : [{ host: server.host, port: server.port }];
    });
  }
}
