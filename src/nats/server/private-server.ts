/**
 * A private nats-server for a machine without one: on loopback, on a port of its choice, with its store in our data directory.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { isFault, messageOf, PartnerdError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { pause } from "../../base/pause.ts";
import { findNatsServer } from "./find-nats-server.ts";
import { ServerProcess } from "./server-process.ts";

const RESTART_WAIT_MS = 1_000;

interface PrivateServerOptions {
  /** The daemon's data directory; the server's store is `nats/` in it. */
  readonly dataDir: string;
  /** Environment, for NATS_SERVER and PATH. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal?: AbortSignal;
}

export interface PrivateServer extends AsyncDisposable {
  /** `nats://127.0.0.1:port`; stays the same across restarts of the server. */
  readonly url: string;
  /** The server's process. */
  readonly pid: number;
}

/**
 * Resolves once the server accepts connections. A server that dies later is restarted on the same port. Rejects with
 * nats_server_missing if none is installed, nats_unavailable if it does not start, or data_dir_unwritable.
 */
export async function startPrivateServer(options: PrivateServerOptions): Promise<PrivateServer> {
  const { dataDir, env, clock, logger, signal = new AbortController().signal } = options;
  const binary = findNatsServer(env);
  const storeDir = join(dataDir, "nats");
  try {
    mkdirSync(storeDir, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new PartnerdError(
      "data_dir_unwritable",
      `data: "${dataDir}" cannot hold the private NATS server's store: ${messageOf(error)}`,
      { nextStep: "choose a data directory that this user can write to", cause: error },
    );
  }
  const launch = (port: number, until: AbortSignal) => ServerProcess.start({ binary, storeDir, port, clock }, until);
  let server = await launch(-1, signal);
  const { port, pid } = server;
  const url = `nats://127.0.0.1:${port}`;
  logger.info(
    { url, binary, storeDir, pid },
    "no NATS server configured or found; started a private one on loopback, which stops with this daemon",
  );

  async function supervise(ending: AbortSignal): Promise<void> {
    for (;;) {
      await server.exited;
      if (ending.aborted) return;
      logger.warn({ url, ...server.end }, "private NATS server exited; restarting it");
      await pause(clock, RESTART_WAIT_MS, ending);
      if (ending.aborted) return;
      try {
        server = await launch(port, ending);
        // Disposed while the new process was starting: only the old one has been stopped.
        if (ending.aborted) await server[Symbol.asyncDispose]();
        else logger.info({ url, pid: server.pid }, "private NATS server is running again");
      } catch (error) {
        if (isFault(error)) logger.fault("nats", error);
        else if (!ending.aborted) logger.error({ error: messageOf(error) }, "cannot restart private NATS server");
      }
    }
  }

  const ending = new AbortController();
  const supervision = supervise(ending.signal);
  return {
    url,
    get pid() {
      return server.pid;
    },
    async [Symbol.asyncDispose]() {
      ending.abort();
      await server[Symbol.asyncDispose]();
      await supervision;
    },
  };
}
