/**
 * A nats-server of our own, for a machine that has none: on loopback, on a port of its choice, its store under our data directory.
 * It never outlives this process, however that ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { endsWithParent } from "../../base/ends-with-parent.ts";
import { messageOf, PartnerdError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { pause } from "../../base/pause.ts";
import { findNatsServer } from "./find-nats-server.ts";

const START_TIMEOUT_MS = 10_000;
/** Half of what a native sidecar gets after SIGTERM: the rest of the daemon has to end too. */
const STOP_TIMEOUT_MS = 1_000;
const POLL_MS = 20;
const RESTART_WAIT_MS = 1_000;

/** How much of what the server prints is kept, for the error when it does not start. */
const KEPT_OUTPUT_CHARS = 4_096;

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
  const binary = findNatsServer(options.env);
  const server = new SupervisedServer(binary, options);
  try {
    await server.start(options.signal);
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

class SupervisedServer implements PrivateServer {
  readonly #binary: string;
  readonly #options: PrivateServerOptions;
  readonly #storeDir: string;
  readonly #ending = new AbortController();
  #process: ChildProcess | undefined;
  /** Resolves when #process has ended, or could not be started at all. */
  #exited: Promise<void> = Promise.resolve();
  #supervision: Promise<void> | undefined;
  /** -1 lets the server choose; from then on it is the port that it chose. */
  #port = -1;

  constructor(binary: string, options: PrivateServerOptions) {
    this.#binary = binary;
    this.#options = options;
    this.#storeDir = join(options.dataDir, "nats");
  }

  get url(): string {
    return `nats://127.0.0.1:${this.#port}`;
  }

  get pid(): number {
    return this.#process?.pid ?? -1;
  }

  async start(signal?: AbortSignal): Promise<void> {
    const { dataDir, logger } = this.#options;
    try {
      mkdirSync(this.#storeDir, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new PartnerdError(
        "data_dir_unwritable",
        `data: "${dataDir}" cannot hold the private NATS server's store: ${messageOf(error)}`,
        {
          nextStep: "Give a data directory that this user may write to.",
          cause: error,
        },
      );
    }
    await this.#launch(signal);
    logger.info(
      { url: this.url, binary: this.#binary, storeDir: this.#storeDir, pid: this.pid },
      "no NATS server was configured or found: started a private one on loopback, which ends with this daemon",
    );
    this.#supervision = this.#supervise(this.#ending.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#stop();
    await this.#supervision;
  }

  /** Starts the process and waits until it has written where it listens. */
  async #launch(signal: AbortSignal | undefined): Promise<void> {
    const { clock } = this.#options;
    for (const file of this.#portsFiles()) rmSync(join(this.#storeDir, file), { force: true });
    const child = spawn(...endsWithParent(this.#binary, this.#arguments()), {
      stdio: ["pipe", "ignore", "pipe"],
      // A group of its own: Ctrl-C reaches the daemon alone, which then ends the server last.
      detached: true,
    });
    this.#process = child;
    let output = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      output = (output + chunk).slice(-KEPT_OUTPUT_CHARS);
    });
    // Closing our end lets the watcher go once the server has ended by itself.
    child.once("exit", () => child.stdin.destroy());
    child.stdin.on("error", () => {});
    let spawnError: Error | undefined;
    this.#exited = new Promise((resolve) => {
      child.once("exit", () => resolve());
      child.once("error", (error) => {
        spawnError = error;
        resolve();
      });
    });

    const startedMs = clock.monotonicMs();
    for (;;) {
      signal?.throwIfAborted();
      const port = this.#listeningPort(child.pid);
      if (port !== undefined) {
        this.#port = port;
        return;
      }
      const ended = spawnError !== undefined || child.exitCode !== null || child.signalCode !== null;
      if (ended || clock.monotonicMs() - startedMs > START_TIMEOUT_MS) {
        const why = spawnError ? messageOf(spawnError) : ended ? "it ended" : `not ready within ${START_TIMEOUT_MS} ms`;
        throw new PartnerdError(
          "nats_unavailable",
          `the private NATS server "${this.#binary}" did not start: ${why}\n${output.trim()}`,
          {
            nextStep: "Start a NATS server yourself and give its URL with --nats.",
          },
        );
      }
      await pause(clock, POLL_MS, signal ?? this.#ending.signal);
    }
  }

  #arguments(): string[] {
    const where = ["--addr", "127.0.0.1", "--port", String(this.#port), "--ports_file_dir", this.#storeDir];
    return [...where, "--jetstream", "--store_dir", this.#storeDir];
  }

  /** The port in the ports file of process `pid`, once it is there and whole. */
  #listeningPort(pid: number | undefined): number | undefined {
    const file = this.#portsFiles().find((name) => name.endsWith(`_${pid}.ports`));
    if (file === undefined) return undefined;
    try {
      const ports = JSON.parse(readFileSync(join(this.#storeDir, file), "utf8")) as { nats?: string[] };
      const url = ports.nats?.[0];
      return url === undefined ? undefined : Number(new URL(url).port);
    } catch {
      return undefined; // Half written, or just removed: looked at again.
    }
  }

  #portsFiles(): string[] {
    return readdirSync(this.#storeDir).filter((name) => name.endsWith(".ports"));
  }

  async #supervise(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    for (;;) {
      await this.#exited;
      if (signal.aborted) return;
      const { exitCode, signalCode } = this.#process ?? {};
      logger.warn({ url: this.url, exitCode, signal: signalCode }, "the private NATS server ended; starting it again");
      await pause(clock, RESTART_WAIT_MS, signal);
      if (signal.aborted) return;
      try {
        await this.#launch(signal);
        logger.info({ url: this.url, pid: this.pid }, "the private NATS server is back");
      } catch (error) {
        if (!signal.aborted) logger.error({ error: messageOf(error) }, "the private NATS server cannot be started again");
        await this.#stop();
      }
    }
  }

  /** Ends the process, first by asking, then by force. */
  async #stop(): Promise<void> {
    const child = this.#process;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    using _insist = this.#options.clock.schedule(STOP_TIMEOUT_MS, () => child.kill("SIGKILL"));
    child.kill("SIGTERM");
    await this.#exited;
  }
}
