/**
 * `oc-partnerd run` as a real process, with the same ports and key at every start, observed through its API, its log lines and its
 * database. It never outlives the test, even if that is killed.
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

/** Enough for several daemons to start at once on two cores. */
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

/** `started`: its API answers and it reconciles. `ready`: it also reads from NATS. `nothing`: its process was spawned. */
type Milestone = "nothing" | "started" | "ready";

interface DaemonOptions {
  /** Extends or overrides the defaults: a data directory, loopback ports, a name. */
  readonly config?: ConfigFile;
  readonly env?: Env;
  /** The milestone to wait for (default: `ready`). */
  readonly until?: Milestone;
  /** The limit of open files of its process (default: this process's). */
  readonly openFiles?: number;
  /** A descriptor for its standard output (default: a pipe to this process). The caller closes it. */
  readonly stdout?: number;
}

/** This process's environment without oc-partnerd settings, which the user may have set for another daemon. */
export function cleanEnv(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith(ENV_PREFIX)));
}

/** Ports given to daemons of this process, never reused, even before they listen. */
const reservedPorts = new Set<number>();

async function reservePorts(): Promise<readonly number[]> {
  const ports = await freePorts(2, systemRandom);
  if (ports.some((port) => reservedPorts.has(port))) return reservePorts();
  for (const port of ports) reservedPorts.add(port);
  return ports;
}

/** Returns false while the process runs; throws once it has exited. */
function hasEnded(child: ChildProcess): false {
  if (child.exitCode === null && child.signalCode === null) return false;
  throw new Error(`it exited with ${child.exitCode ?? child.signalCode}`);
}

export class DaemonProcess implements AsyncDisposable {
  readonly name: string;
  readonly dataDir: string;
  readonly httpUrl: string;
  readonly p2pPort: number;
  readonly #directory: string;
  readonly #env: Env;
  readonly #openFiles: number | undefined;
  readonly #outputTo: number | "pipe";
  #child: ChildProcess | undefined;
  #exit: Promise<Exit> = Promise.resolve({ code: null, signal: null });
  #stdout = "";
  #stderr = "";

  private constructor(options: DaemonOptions, [p2pPort = 0, httpPort = 0]: readonly number[]) {
    this.#directory = mkdtempSync(join(tmpdir(), "oc-partnerd-run-"));
    this.#env = options.env ?? {};
    this.#openFiles = options.openFiles;
    this.#outputTo = options.stdout ?? "pipe";
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
        // Another process may take a port between our check and the daemon's start.
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

  /** Starts the daemon, or restarts it after its exit. */
  async start(milestone: Milestone = "ready"): Promise<void> {
    const run = ["run", "--config", this.configFile];
    const files = this.#openFiles;
    const command =
      files === undefined
        ? endsWithParent(LAUNCHER, run)
        : endsWithParent("prlimit", [`--nofile=${files}:${files}`, LAUNCHER, ...run]);
    const child = spawn(...command, {
      cwd: this.#directory,
      env: { ...cleanEnv(), ...this.#env },
      stdio: ["pipe", this.#outputTo, "pipe"],
    });
    this.#child = child;
    child.stdin?.on("error", () => {});
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      this.#stdout += chunk;
    });
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      this.#stderr += chunk;
    });
    this.#exit = new Promise((resolve) => {
      child.once("exit", () => child.stdin?.destroy());
      // "close" comes after all output has arrived.
      child.once("close", (code, signal) => resolve({ code, signal }));
    });
    if (milestone === "nothing") return;
    const path = milestone === "ready" ? "/readyz" : "/startupz";
    await this.until(`${path} answers 200`, async () => !hasEnded(child) && this.#answersOk(path), START_TIMEOUT_MS);
  }

  // Its API.

  self(): Promise<SelfView> {
    return this.#json("/v1/self");
  }

  async peers(): Promise<readonly PeerView[]> {
    return (await this.#json<{ peers: readonly PeerView[] }>("/v1/peers")).peers;
  }

  /** The peer's row of /v1/peers, if it has one. */
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

  /** The value of one series of /metrics, such as `oc_partnerd_peers{phase="closed"}`; undefined if it does not exist. */
  async metric(series: string): Promise<number | undefined> {
    const text = await (await this.fetch("/metrics")).text();
    const line = text.split("\n").find((candidate) => candidate.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  }

  async fetch(path: string): Promise<Response> {
    using limit = startDeadline(ANSWER_TIMEOUT_MS, `${path} did not answer`);
    return await fetch(this.httpUrl + path, { signal: limit.signal });
  }

  // Its database and log.

  /** Queries its database, as another process can while the daemon runs. */
  sql(query: string, ...parameters: unknown[]): Row[] {
    using raw = rawConnection(this.databaseFile, { readonly: true });
    return raw.database.prepare<unknown[], Row>(query).all(...parameters);
  }

  /** The only value of the only row of `query`. */
  count(query: string, ...parameters: unknown[]): number {
    return Number(Object.values(this.sql(query, ...parameters)[0] ?? {})[0]);
  }

  /** The log lines of all its runs so far. */
  logLines(): LogLine[] {
    const lines = this.#stdout.split("\n").filter((line) => line !== "");
    return lines.map((line) => JSON.parse(line) as LogLine);
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Everything that it wrote to standard output and standard error. */
  get output(): string {
    return this.#stdout + this.#stderr;
  }

  get residentBytes(): number {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, "utf8"))?.[1];
    return Number(kilobytes) * 1_024;
  }

  /** Like `until`; the error also includes the daemon's last log lines. */
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

  // Its process.

  send(signal: NodeJS.Signals): void {
    if (this.#running) this.#child?.kill(signal);
  }

  /** Sends SIGSTOP: its connections stay open but it answers nothing. */
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

  /** Sends SIGKILL, so it cannot say goodbye. Resolves when it has exited. */
  async kill(): Promise<Exit> {
    this.send("SIGKILL");
    return this.exited;
  }

  /** Sends SIGTERM. Resolves when it has exited. */
  async stop(): Promise<Exit> {
    this.send("SIGTERM");
    return this.exited;
  }

  /** Resolves when the current run ends, with how it ended. */
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
      return false; // Not listening yet.
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
