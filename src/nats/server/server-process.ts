/** A nats-server process on loopback, from its start to its exit. It never outlives this process, however this one exits. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { endsWithParent } from "../../base/ends-with-parent.ts";
import { messageOf, PartnerdError } from "../../base/errors.ts";
import { pause } from "../../base/pause.ts";

const START_TIMEOUT_MS = 10_000;
/** Kubernetes may kill a native sidecar 2 s after SIGTERM, and the rest of the daemon has to stop in that time too. */
const STOP_TIMEOUT_MS = 1_000;
const POLL_MS = 20;

/** How much of the server's output is kept for the error message if it does not start. */
const KEPT_OUTPUT_CHARS = 4_096;

interface ServerProcessOptions {
  readonly binary: string;
  readonly storeDir: string;
  /** -1 lets the server choose. */
  readonly port: number;
  readonly clock: Clock;
}

/** Dispose to stop the process: SIGTERM, then SIGKILL. */
export class ServerProcess implements AsyncDisposable {
  readonly #options: ServerProcessOptions;
  readonly #child: ChildProcess;
  /** Resolves when the process has exited or could not be started. */
  readonly exited: Promise<void>;
  #spawnError: Error | undefined;
  #output = "";
  #port: number;

  /**
   * Resolves once the server has written its port. Rejects with nats_unavailable or the signal's reason, after the process has exited.
   */
  static async start(options: ServerProcessOptions, signal: AbortSignal): Promise<ServerProcess> {
    const server = new ServerProcess(options);
    try {
      await server.#listening(signal);
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(options: ServerProcessOptions) {
    const { binary, storeDir, port } = options;
    this.#options = options;
    this.#port = port;
    for (const file of portsFiles(storeDir)) rmSync(join(storeDir, file), { force: true });
    const where = ["--addr", "127.0.0.1", "--port", String(port), "--ports_file_dir", storeDir];
    const child = spawn(...endsWithParent(binary, [...where, "--jetstream", "--store_dir", storeDir]), {
      stdio: ["pipe", "ignore", "pipe"],
      // A process group of its own: Ctrl-C reaches only the daemon, which stops the server last.
      detached: true,
    });
    this.#child = child;
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      this.#output = (this.#output + chunk).slice(-KEPT_OUTPUT_CHARS);
    });
    // Closing our end stops the watcher once the server has exited by itself.
    child.once("exit", () => child.stdin.destroy());
    child.stdin.on("error", () => {});
    this.exited = new Promise((resolve) => {
      child.once("exit", () => resolve());
      child.once("error", (error) => {
        this.#spawnError = error;
        resolve();
      });
    });
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** How it exited, for the log. */
  get end(): { readonly exitCode: number | null; readonly signal: string | null } {
    return { exitCode: this.#child.exitCode, signal: this.#child.signalCode };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.pid === undefined || this.#hasEnded) return;
    using _insist = this.#options.clock.schedule(STOP_TIMEOUT_MS, () => this.#child.kill("SIGKILL"));
    this.#child.kill("SIGTERM");
    await this.exited;
  }

  get #hasEnded(): boolean {
    return this.#spawnError !== undefined || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async #listening(signal: AbortSignal): Promise<void> {
    const { clock, storeDir, binary } = this.#options;
    const startedMs = clock.monotonicMs();
    for (;;) {
      signal.throwIfAborted();
      const port = portIn(storeDir, this.pid);
      if (port !== undefined) {
        this.#port = port;
        return;
      }
      if (this.#hasEnded || clock.monotonicMs() - startedMs > START_TIMEOUT_MS) {
        const ended = this.#hasEnded ? "it exited" : `not ready within ${START_TIMEOUT_MS} ms`;
        const why = this.#spawnError ? messageOf(this.#spawnError) : ended;
        throw new PartnerdError(
          "nats_unavailable",
          `the private NATS server "${binary}" did not start: ${why}\n${this.#output.trim()}`,
          { nextStep: "start a NATS server yourself and pass its URL with --nats" },
        );
      }
      await pause(clock, POLL_MS, signal);
    }
  }
}

/** The port in the ports file of process `pid`; undefined until the file is complete. */
function portIn(storeDir: string, pid: number): number | undefined {
  const file = portsFiles(storeDir).find((name) => name.endsWith(`_${pid}.ports`));
  if (file === undefined) return undefined;
  try {
    const ports = JSON.parse(readFileSync(join(storeDir, file), "utf8")) as { nats?: string[] };
    const url = ports.nats?.[0];
    return url === undefined ? undefined : Number(new URL(url).port);
  } catch {
    return undefined; // Half written, or just removed: the caller polls.
  }
}

function portsFiles(storeDir: string): string[] {
  return readdirSync(storeDir).filter((name) => name.endsWith(".ports"));
}
