/** Which servers a connection may be made to: those of the configuration, and the other members of their cluster. */
import type { Random } from "../../base/clock.ts";
import { hostAndPort, parseServer, parseServers, type ServerAddress } from "./server-address.ts";

/** A cluster tells its members; more than this is no cluster that we need to know in full. */
const MAX_LEARNED_SERVERS = 64;

export class KnownServers {
  readonly #configured: readonly ServerAddress[];
  #learned: readonly ServerAddress[] = [];

  /** Throws config_invalid for a URL that cannot be used. */
  constructor(urls: readonly string[]) {
    this.#configured = parseServers(urls);
  }

  /** Every known server once, in random order. */
  shuffled(random: Random): readonly ServerAddress[] {
    const known = new Map([...this.#learned, ...this.#configured].map((server) => [hostAndPort(server), server]));
    return [...known.values()]
      .map((server) => ({ server, order: random.next() }))
      .sort((a, b) => a.order - b.order)
      .map(({ server }) => server);
  }

  /** A cluster's other members inherit the user info and TLS of the first configured server, as they share its accounts. */
  learn(urls: readonly string[] | undefined): void {
    const [first] = this.#configured;
    if (urls === undefined || first === undefined) return;
    this.#learned = urls.slice(0, MAX_LEARNED_SERVERS).flatMap((url) => {
      try {
        const { host, port } = parseServer(url);
        return [{ ...first, host, port }];
      } catch {
        return []; // A server's odd idea of its peers is no reason to fail; the configured ones remain.
      }
    });
  }
}
