/**
 * `oc-partnerd run` as a real process: the same ports and the same key at every start, looked at through its API, its log lines
 * and its database, and never outliving the test, however that ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { z } from "zod";
import { systemRandom } from "../../src/base/clock.ts";
import { endsWithParent } from "../../src/base/ends-with-parent.ts";
import { ENV_PREFIX } from "../../src/config/leaves.ts";
import type { configSchema } from "../../src/config/schema.ts";
import { freePorts } from "../../src/demo/stage/stage.ts";
import type { HealthView, PeerDetailView, PeerView, SelfView } from "../../src/views/api.ts";
import { rawConnection } from "../store/support/temporary-store.ts";
import { type Bound, startDeadline } from "./pace/pace.ts";
import { until } from "./until.ts";

export const LAUNCHER = fileURLToPath(new URL("../../bin/oc-partnerd", import.meta.url));

/** Enough for several starting at once on two cores. */
const START_TIMEOUT_MS = 30_000;
const ANSWER_TIMEOUT_MS = 5_000;
const TAIL_LINES = 25;

export type ConfigFile = z.input<typeof configSchema>;
type Env = Readonly<Record<string, string>>;

/** How a process ended: with a code, or by a signal. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface LogLine {
  readonly level: string;
  readonly time: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

type Row = Record<string, string | number | Buffer | null>;

/** `started`: its API answers and it reconciles. `ready`: it also hears NATS. `nothing`: its process runs. */
type Milestone = "nothing" | "started" | "ready";

interface DaemonOptions {
  /** Added to, or put in place of, what every daemon gets: a data directory, loopback ports, a name. */
  readonly config?: ConfigFile;
  readonly env?: Env;
  /** What to wait for; default `ready`. */
  readonly until?: Milestone;
}

/** The environment of this process without settings of a daemon that its user may run. */
export function cleanEnv(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith(ENV_PREFIX)));
}

/** Never the same to two daemons of this process, not even before they listen. */
const reservedPorts = new Set<number>();

async function reservePorts(): Promise<readonly number[]> {
  const ports = await freePorts(2, systemRandom);
  if (ports.some((port) => reservedPorts.has(port))) return reservePorts();
  for (const port of ports) reservedPorts.add(port);
  return ports;
}

/** False while it runs; throws when it does not any more. */
function hasEnded(child: ChildProcess): false {
  if (child.exitCode === null && child.signalCode === null) return false;
  throw new Error(`it ended with ${child.exitCode ?? child.signalCode}`);
}

export class DaemonProcess implements AsyncDisposable {
  readonly name: string;
  readonly dataDir: string;
  readonly httpUrl: string;
  readonly p2pPort: number;
  readonly #directory: string;
  readonly #env: Env;
  #child: ChildProcess | undefined;
  #exit: Promise<Exit> = Promise.resolve({ code: null, signal: null });
  #stdout = "";
  #stderr = "";

  private constructor(options: DaemonOptions, [p2pPort = 0, httpPort = 0]: readonly number[]) {
    this.#directory = mkdtempSync(join(tmpdir(), "oc-partnerd-run-"));
    this.#env = options.env ?? {};
    this.name = options.config?.name ?? "daemon";
    this.dataDir = options.config?.data ?? join(this.#directory, "data");
    this.p2pPort = p2pPort;
    this.httpUrl = `http://127.0.0.1:${httpPort}`;
    const config: ConfigFile = {
      data: this.dataDir,
      name: this.name,
      listen: [`/ip4/127.0.0.1/tcp/${p2pPort}`],
      http: `127.0.0.1:${httpPort}`,
      ...options.config,
    };
    writeFileSync(this.configFile, JSON.stringify(config));
  }

  static async start(options: DaemonOptions = {}): Promise<DaemonProcess> {
    for (let triesLeft = 2; ; triesLeft--) {
      const daemon = new DaemonProcess(options, await reservePorts());
      try {
        await daemon.start(options.until);
        return daemon;
      } catch (error) {
        await daemon[Symbol.asyncDispose]();
        // Another test's process can listen on a port between our look at it and the daemon's start.
        if (triesLeft === 0 || !/ taken( |$)/m.test(daemon.stderr)) throw error;
      }
    }
  }

  get configFile(): string {
    return join(this.#directory, "config.json");
  }

  get databaseFile(): string {
    return join(this.dataDir, "oc-partnerd.db");
  }

  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  /** Starts it, or starts it again after its end. */
  async start(milestone: Milestone = "ready"): Promise<void> {
    const child = spawn(...endsWithParent(LAUNCHER, ["run", "--config", this.configFile]), {
      cwd: this.#directory,
      env: { ...cleanEnv(), ...this.#env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child = child;
    child.stdin.on("error", () => {});
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      this.#stdout += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      this.#stderr += chunk;
    });
    this.#exit = new Promise((resolve) => {
      child.once("exit", () => child.stdin.destroy());
      // All that it printed has arrived by then.
      child.once("close", (code, signal) => resolve({ code, signal }));
    });
    if (milestone === "nothing") return;
    const path = milestone === "ready" ? "/readyz" : "/startupz";
    await this.until(`${path} answers 200`, async () => !hasEnded(child) && this.#answersOk(path), START_TIMEOUT_MS);
  }

  // What it says of itself and its peers.

  self(): Promise<SelfView> {
    return this.#json("/v1/self");
  }

  async peers(): Promise<readonly PeerView[]> {
    return (await this.#json<{ peers: readonly PeerView[] }>("/v1/peers")).peers;
  }

  /** The peer's row of /v1/peers; undefined where it has none. */
  async peer(peerId: string): Promise<PeerView | undefined> {
    return (await this.peers()).find((peer) => peer.peerId === peerId);
  }

  /** The peer with its history. */
  peerDetail(peerId: string): Promise<PeerDetailView> {
    return this.#json(`/v1/peers/${peerId}`);
  }

  async health(path: "/startupz" | "/livez" | "/readyz"): Promise<{ readonly status: number; readonly body: HealthView }> {
    const response = await this.fetch(path);
    return { status: response.status, body: (await response.json()) as HealthView };
  }

  /** The value of one series as /metrics prints it, such as `oc_partnerd_peers{phase="closed"}`; undefined where there is none. */
  async metric(series: string): Promise<number | undefined> {
    const text = await (await this.fetch("/metrics")).text();
    const line = text.split("\n").find((candidate) => candidate.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  }

  async fetch(path: string): Promise<Response> {
    using limit = startDeadline(ANSWER_TIMEOUT_MS, `${path} did not answer`);
    return await fetch(this.httpUrl + path, { signal: limit.signal });
  }

  // What it wrote.

  /** Rows of its database, as another process reads them while the daemon runs. */
  sql(query: string, ...parameters: unknown[]): Row[] {
    using raw = rawConnection(this.databaseFile, { readonly: true });
    return raw.database.prepare<unknown[], Row>(query).all(...parameters);
  }

  /** The only value of the only row of `query`. */
  count(query: string, ...parameters: unknown[]): number {
    return Number(Object.values(this.sql(query, ...parameters)[0] ?? {})[0]);
  }

  /** Its log, all starts together. */
  logLines(): LogLine[] {
    const lines = this.#stdout.split("\n").filter((line) => line !== "");
    return lines.map((line) => JSON.parse(line) as LogLine);
  }

  get stderr(): string {
    return this.#stderr;
  }

  get residentBytes(): number {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, "utf8"))?.[1];
    return Number(kilobytes) * 1_024;
  }

  /** Waits as `until` does, and where that fails tells what this daemon logged last. */
  async until<Result>(
    what: string,
    look: () => Result | undefined | false | Promise<Result | undefined | false>,
    limit?: number | Bound,
  ): Promise<Result> {
    try {
      return await until(`${this.name}: ${what}`, look, limit);
    } catch (error) {
      throw new Error(`${String(error)}\n${this.#tail()}`, { cause: error });
    }
  }

  // What can happen to it.

  send(signal: NodeJS.Signals): void {
    if (this.#running) this.#child?.kill(signal);
  }

  /** SIGSTOP: its connections stay open and nothing answers on them. */
  async freeze(): Promise<void> {
    const threads = `/proc/${this.pid}/task`;
    this.send("SIGSTOP");
    await until("every thread has stopped", () =>
      readdirSync(threads).every((thread) => / T /.test(readFileSync(join(threads, thread, "stat"), "utf8"))),
    );
  }

  thaw(): void {
    this.send("SIGCONT");
  }

  /** SIGKILL: it had no chance to say goodbye. Resolves when it is gone. */
  async kill(): Promise<Exit> {
    this.send("SIGKILL");
    return this.exited;
  }

  /** SIGTERM. Resolves when it is gone. */
  async stop(): Promise<Exit> {
    this.send("SIGTERM");
    return this.exited;
  }

  /** How the run that was started last ended. */
  get exited(): Promise<Exit> {
    return this.#exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  get #running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async #answersOk(path: string): Promise<boolean> {
    try {
      const response = await this.fetch(path);
      await response.arrayBuffer();
      return response.ok;
    } catch {
      return false; // Nobody listens yet.
    }
  }

  async #json<Body>(path: string): Promise<Body> {
    const response = await this.fetch(path);
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as Body;
  }

  #tail(): string {
    return [...this.#stdout.trimEnd().split("\n").slice(-TAIL_LINES), this.#stderr].join("\n");
  }
}
