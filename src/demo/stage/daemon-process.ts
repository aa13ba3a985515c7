/** One `oc-partnerd run` as a child process that never outlives the demo. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Clock } from "../../base/clock.ts";
import { endsWithParent } from "../../base/ends-with-parent.ts";
import { ENV_PREFIX } from "../../config/leaves.ts";

const LAUNCHER = fileURLToPath(new URL("../../../bin/oc-partnerd", import.meta.url));

const STOP_TIMEOUT_MS = 4_000;
const TAIL_LINES = 15;

interface DaemonProcessOptions {
  readonly configFile: string;
  /** Gets standard output and standard error of every process that ran here, one after the other. */
  readonly logFile: string;
  readonly workingDirectory: string;
  readonly clock: Clock;
  /** Called when the process ends without `kill` or `stop` having been called. */
  readonly onUnexpectedExit: (how: string) => void;
}

export class DaemonProcess {
  readonly #options: DaemonProcessOptions;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #ending = false;

  constructor(options: DaemonProcessOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it, or starts it again after `kill`. */
  start(): void {
    const { configFile, logFile, workingDirectory } = this.#options;
    const log = openSync(logFile, "a", 0o600);
    const child = spawn(...endsWithParent(LAUNCHER, ["run", "--config", configFile]), {
      cwd: workingDirectory,
      // Settings of the user's own daemon are none of ours.
      env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith(ENV_PREFIX))),
      stdio: ["pipe", log, log],
      // A group of its own: Ctrl-C reaches the demo alone, which then ends its children in order.
      detached: true,
    });
    closeSync(log);
    this.#child = child;
    this.#ending = false;
    child.stdin?.on("error", () => {});
    this.#exited = new Promise((resolve) => {
      const ended = (how: string) => {
        // Lets the watcher go.
        child.stdin?.destroy();
        resolve();
        if (!this.#ending) this.#options.onUnexpectedExit(how);
      };
      child.once("exit", (code, signal) => ended(signal === null ? `exit code ${code}` : signal));
      child.once("error", (error) => ended(error.message));
    });
  }

  /** SIGSTOP: the machine hangs. Its connections stay open and nothing answers on them. */
  freeze(): void {
    this.#child?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child?.kill("SIGCONT");
  }

  /** SIGKILL: the process had no chance to say goodbye. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#ending = true;
    this.#child?.kill("SIGKILL");
    await this.#exited;
  }

  /** Ends it in good order, by force where that takes too long. */
  async stop(): Promise<void> {
    this.#ending = true;
    this.thaw();
    using _insist = this.#options.clock.schedule(STOP_TIMEOUT_MS, () => this.#child?.kill("SIGKILL"));
    this.#child?.kill("SIGTERM");
    await this.#exited;
  }

  /** The last lines of its log. */
  logTail(): string {
    try {
      return readFileSync(this.#options.logFile, "utf8").trimEnd().split("\n").slice(-TAIL_LINES).join("\n");
    } catch {
      return "";
    }
  }
}
