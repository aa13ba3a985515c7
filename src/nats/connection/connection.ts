/**
 * A connection to NATS for the daemon's lifetime. One loop connects and reconnects, each time with a new client whose own
 * reconnecting is off. So there is one code path for every connection, each failure is reported with its reason, no failure is
 * permanent (not even wrong credentials or a closed client), and connecting can be aborted at any point.
 */

import { type Clock, jittered, type Random } from "../../base/clock.ts";
import { isFault, isSameFailure, PartnerdError, toPartnerdError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { pause } from "../../base/pause.ts";
import { DebugEvents, Events, type NatsConnection } from "./client.ts";
import type { NatsConfig } from "./config.ts";
import { checkCredentials, checkTls } from "./credentials.ts";
import { closeQuietly, describe, dial, eventError, isExpiry } from "./dial.ts";
import { KnownServers } from "./known-servers.ts";
import { hostAndPort, type ServerAddress } from "./server-address.ts";
import { eachAddress, type ResolveName, systemResolver } from "./server-names.ts";

/** `connecting`: never connected so far. `reconnecting`: was connected. `closed`: disposed; final. */
type NatsState = "connecting" | "connected" | "reconnecting" | "closed";

export interface NatsStatus {
  readonly state: NatsState;
  /** `host:port` of the server we are connected to. */
  readonly server: string | null;
  /** Wall time, ms since the epoch, at which this state began. */
  readonly sinceMs: number;
  /** How often we have reconnected. */
  readonly reconnects: number;
  /** The newest failure; reset to null when connected. While connected: the newest error from the server. */
  readonly lastError: string | null;
}

interface ConnectionDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Resolves the names of servers; default: as the system does. */
  readonly resolve?: ResolveName;
  readonly onStatusChange?: (status: NatsStatus) => void;
}

/** Wait between two rounds of attempts; the jitter keeps many daemons from reconnecting at once. */
const RECONNECT_WAIT_MS = 1_000;
const RECONNECT_JITTER = 0.5;

const STALE = new PartnerdError("nats_unavailable", "the server stopped answering pings", {
  details: { reason: "stale_connection" },
});

export class PersistentConnection implements AsyncDisposable {
  readonly #config: NatsConfig;
  readonly #dependencies: ConnectionDependencies;
  readonly #servers: KnownServers;
  readonly #clientListeners = new Set<(client: NatsConnection) => void>();
  readonly #ending = new AbortController();
  readonly #loop: Promise<void>;
  #client: NatsConnection | undefined;
  #status: NatsStatus;
  /** The failure behind `lastError`. */
  #failure: PartnerdError | null = null;

  /**
   * Starts connecting in the background and returns at once, whether NATS is up or not. Throws config_invalid, naming field and
   * file, if servers, credentials or TLS files cannot be used.
   */
  constructor(config: NatsConfig, dependencies: ConnectionDependencies) {
    this.#servers = new KnownServers(config);
    checkCredentials(config);
    if (config.tls !== undefined) checkTls(config.tls);
    this.#config = config;
    this.#dependencies = dependencies;
    this.#status = {
      state: "connecting",
      server: null,
      sinceMs: dependencies.clock.wallMs(),
      reconnects: 0,
      lastError: null,
    };
    this.#loop = this.#run(this.#ending.signal);
  }

  /** The current status. Contains no secrets. */
  status(): NatsStatus {
    return this.#status;
  }

  /**
   * Calls `listener` with each new client until disposed, and at once if connected. A listener's subscriptions end with its
   * client.
   */
  onClient(listener: (client: NatsConnection) => void): Disposable {
    this.#clientListeners.add(listener);
    if (this.#client !== undefined) listener(this.#client);
    return { [Symbol.dispose]: () => this.#clientListeners.delete(listener) };
  }

  /** Closes the connection permanently. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#loop;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#dependencies;
    while (!signal.aborted) {
      const client = await this.#dialAny(signal);
      if (client !== undefined) await this.#serve(client, signal);
      await pause(clock, jittered(random, RECONNECT_WAIT_MS, RECONNECT_JITTER), signal);
    }
    this.#change({ state: "closed", server: null });
  }

  /** One round: each address of each known server once, the servers in random order, until one accepts us. */
  async #dialAny(signal: AbortSignal): Promise<NatsConnection | undefined> {
    try {
      this.#servers.reread();
    } catch (error) {
      this.#failed(toPartnerdError(error));
    }
    for (const server of this.#servers.shuffled(this.#dependencies.random)) {
      const client = await this.#dialEach(server, signal);
      if (client !== undefined) return client;
    }
    return undefined;
  }

  /** The first of the server's addresses that accepts us. */
  async #dialEach(server: ServerAddress, signal: AbortSignal): Promise<NatsConnection | undefined> {
    const { clock, resolve = systemResolver } = this.#dependencies;
    const each = await eachAddress(server, resolve, signal).catch(() => []);
    for (const one of each) {
      if (signal.aborted) return undefined;
      try {
        const client = await dial(this.#config, one, clock, signal);
        this.#connected(client, one);
        return client;
      } catch (error) {
        if (!signal.aborted) this.#failed(toPartnerdError(error));
      }
    }
    return undefined;
  }

  /** Resolves when the client's connection has closed. */
  async #serve(client: NatsConnection, signal: AbortSignal): Promise<void> {
    const close = () => void closeQuietly(client);
    signal.addEventListener("abort", close, { once: true });
    if (signal.aborted) close();
    this.#client = client;
    void this.#watch(client);
    for (const listener of this.#clientListeners) listener(client);
    const error = await client.closed();
    signal.removeEventListener("abort", close);
    this.#client = undefined;
    if (signal.aborted) return;
    const reason = error ? describe(error) : "the server closed the connection";
    this.#dependencies.logger.warn({ server: this.#status.server, reason }, "lost connection to NATS");
    this.#failure = new PartnerdError("nats_unavailable", reason, { cause: error ?? undefined });
    this.#change({ state: "reconnecting", server: null, lastError: reason });
  }

  /** Handles the server's events until the client closes. */
  async #watch(client: NatsConnection): Promise<void> {
    this.#servers.learn(client.info?.connect_urls);
    let hasExpired = false;
    for await (const event of client.status()) {
      hasExpired ||= isExpiry(event);
      if (event.type === Events.Error) this.#failed(eventError(event));
      // The client says so of a connection with expired credentials too.
      else if (event.type === DebugEvents.StaleConnection && !hasExpired) this.#failed(STALE);
      else if (event.type === Events.Update) this.#servers.learn(client.info?.connect_urls);
    }
  }

  #connected(client: NatsConnection, server: ServerAddress): void {
    const again = this.#status.state === "reconnecting";
    const name = hostAndPort(server);
    this.#failure = null;
    this.#dependencies.logger.info(
      { server: name, version: client.info?.version },
      again ? "reconnected to NATS" : "connected to NATS",
    );
    this.#change({
      state: "connected",
      server: name,
      reconnects: this.#status.reconnects + (again ? 1 : 0),
      lastError: null,
    });
  }

  /** A failure that repeats round after round is logged and reported once. */
  #failed(failure: PartnerdError): void {
    if (isSameFailure(this.#failure, failure)) return;
    this.#failure = failure;
    const { logger } = this.#dependencies;
    if (isFault(failure)) logger.fault("nats", failure);
    else
      logger.warn({ reason: failure.message, state: this.#status.state, nextStep: failure.nextStep }, "NATS connection problem");
    this.#change({ lastError: failure.message });
  }

  #change(change: Partial<NatsStatus>): void {
    const { clock, onStatusChange } = this.#dependencies;
    const began = change.state !== undefined && change.state !== this.#status.state;
    this.#status = { ...this.#status, ...change, sinceMs: began ? clock.wallMs() : this.#status.sinceMs };
    onStatusChange?.(this.#status);
  }
}
