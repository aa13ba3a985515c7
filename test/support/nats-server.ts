/** A real nats-server on loopback that never outlives the tests, started like the daemon's private one. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endsWithParent } from "../../src/base/ends-with-parent.ts";
import { findNatsServer } from "../../src/nats/server/find-nats-server.ts";
import { until } from "./until.ts";

interface NatsServerOptions {
  /** Lines of the server's configuration file, such as `authorization { token: "t" }`. */
  readonly config?: string;
  readonly jetStream?: boolean;
  /** If true, the server is started only by `start()`; its port is known beforehand. */
  readonly stopped?: boolean;
  /** Path of the nats-server to run (default: the installed one). */
  readonly binary?: string;
}

interface ListeningUrls {
  readonly nats: readonly [string, ...string[]];
  readonly monitoring?: readonly string[];
  readonly cluster?: readonly string[];
}

export class NatsServer implements AsyncDisposable {
  /** Its own directory, with configuration and store. */
  readonly directory = mkdtempSync(join(tmpdir(), "oc-partnerd-nats-"));
  readonly #jetStream: boolean;
  readonly #binary: string;
  #process: ChildProcess | undefined;
  #port = -1;
  #urls: ListeningUrls | undefined;

  private constructor({ jetStream = false, binary = findNatsServer(process.env) }: NatsServerOptions) {
    this.#jetStream = jetStream;
    this.#binary = binary;
  }

  /** Starts a server on a free port and resolves once it listens. */
  static async start(options: NatsServerOptions = {}): Promise<NatsServer> {
    const server = new NatsServer(options);
    server.configure(options.config ?? "");
    await server.start();
    if (options.stopped === true) await server.stop();
    return server;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.#port}`;
  }

  /** The URL at which other servers join its cluster, if it is configured with one. */
  get clusterUrl(): string {
    return this.#urls?.cluster?.[0] ?? "";
  }

  /** The server's own statistics about its clients and cluster. */
  async statistics(): Promise<{ total_connections: number; connect_urls?: string[]; config_load_time: string }> {
    const response = await fetch(`${this.#urls?.monitoring?.[0]}/varz`);
    return (await response.json()) as { total_connections: number; connect_urls?: string[]; config_load_time: string };
  }

  /** The names of its current clients. */
  async clients(): Promise<readonly string[]> {
    const response = await fetch(`${this.#urls?.monitoring?.[0]}/connz`);
    const { connections } = (await response.json()) as { connections: readonly { name?: string }[] };
    return connections.map(({ name = "" }) => name);
  }

  get pid(): number {
    return this.#process?.pid ?? -1;
  }

  /** Replaces the configuration, effective from the next `start` or `reload`. */
  configure(config: string): void {
    // In the file, because a reload would disable JetStream if it were enabled by flag.
    const jetStream = this.#jetStream ? `jetstream { store_dir: "${join(this.directory, "store")}" }\n` : "";
    writeFileSync(join(this.directory, "nats.conf"), jetStream + config);
  }

  /** Restarts the server on the same port. */
  async start(): Promise<void> {
    const { directory } = this;
    const flags = ["-c", join(directory, "nats.conf"), "-a", "127.0.0.1", "-p", String(this.#port), "-m", "-1"];
    flags.push("--ports_file_dir", directory);
    for (const file of portsFiles(directory)) rmSync(file, { force: true });
    const child = spawn(...endsWithParent(this.#binary, flags), {
      stdio: ["pipe", "ignore", "pipe"],
    });
    this.#process = child;
    let output = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      output = (output + chunk).slice(-10_000);
    });
    child.once("exit", () => child.stdin.destroy());
    this.#urls = await until("nats-server listens", () => {
      if (child.exitCode !== null) throw new Error(`nats-server exited: ${output}`);
      return listeningUrls(directory);
    });
    this.#port = Number(new URL(this.#urls.nats[0]).port);
  }

  /** Stops the server in an orderly way; `kill` simulates a crash. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Makes the running server reload its configuration. */
  reload(): void {
    process.kill(this.pid, "SIGHUP");
  }

  /** Runs `configure` and `reload`; resolves once the new configuration is active. */
  async reconfigure(config: string): Promise<void> {
    const { config_load_time: before } = await this.statistics();
    this.configure(config);
    this.reload();
    await until("nats-server has read its configuration", async () => (await this.statistics()).config_load_time !== before);
  }

  /** Suspends the process, like a hung server or frozen machine. The system still accepts connections for it. */
  async freeze(): Promise<void> {
    const tasks = `/proc/${this.pid}/task`;
    process.kill(this.pid, "SIGSTOP");
    await until("every thread has stopped", () =>
      readdirSync(tasks).every((task) => / T /.test(readFileSync(join(tasks, task, "stat"), "utf8"))),
    );
  }

  thaw(): void {
    process.kill(this.pid, "SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }
}

function portsFiles(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith(".ports"))
    .map((name) => join(directory, name));
}

function listeningUrls(directory: string): ListeningUrls | undefined {
  try {
    const [file = ""] = portsFiles(directory);
    return JSON.parse(readFileSync(file, "utf8")) as ListeningUrls;
  } catch {
    return undefined; // Missing or incomplete.
  }
}
