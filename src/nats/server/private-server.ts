/**
 * A nats-server of our own, for a machine that has none: on loopback, on a port of its choice, its store under our data directory.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { messageOf, PartnerdError } from "../../base/errors.ts";
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
  /** `nats://127.0.0.1:port`; stays the same when the server had to be started again. */
  readonly url: string;
  /** The server's process. */
  readonly pid: number;
}

/**
 * Resolves once the server accepts connections. A server that dies later is started again, on the same port. Rejects with
 * nats_server_missing where none is installed, with nats_unavailable where it does not start, with data_dir_unwritable.
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
      { nextStep: "Give a data directory that this user may write to.", cause: error },
    );
  }
  const launch = (port: number, until: AbortSignal) => ServerProcess.start({ binary, storeDir, port, clock }, until);
  let server = await launch(-1, signal);
  const { port, pid } = server;
  const url = `nats://127.0.0.1:${port}`;
  logger.info(
    { url, binary, storeDir, pid },
    "no NATS server was configured or found: started a private one on loopback, which ends with this daemon",
  );

  async function supervise(ending: AbortSignal): Promise<void> {
    for (;;) {
      await server.exited;
      if (ending.aborted) return;
      logger.warn({ url, ...server.end }, "the private NATS server ended; starting it again");
      await pause(clock, RESTART_WAIT_MS, ending);
      if (ending.aborted) return;
      try {
        server = await launch(port, ending);
        // Disposed of while the new process was on its way here: that one ended the old one only.
        if (ending.aborted) await server[Symbol.asyncDispose]();
        else logger.info({ url, pid: server.pid }, "the private NATS server is back");
      } catch (error) {
        if (!ending.aborted) logger.error({ error: messageOf(error) }, "the private NATS server cannot be started again");
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
