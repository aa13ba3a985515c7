/** An `oc-partnerd run` child process that never outlives the demo. */
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
  /** Collects standard output and standard error of all runs. */
  readonly logFile: string;
  readonly workingDirectory: string;
  readonly clock: Clock;
  /** Called when the process exits without a call of `kill` or `stop`. */
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

  /** Starts the process, also after `kill`. */
  start(): void {
    const { configFile, logFile, workingDirectory } = this.#options;
    const log = openSync(logFile, "a", 0o600);
    const child = spawn(...endsWithParent(LAUNCHER, ["run", "--config", configFile]), {
      cwd: workingDirectory,
      // The user's own daemon settings must not affect the demo.
      env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith(ENV_PREFIX))),
      stdio: ["pipe", log, log],
      // Its own process group, so that Ctrl-C reaches only the demo, which then stops its children in order.
      detached: true,
    });
    closeSync(log);
    this.#child = child;
    this.#ending = false;
    child.stdin?.on("error", () => {});
    this.#exited = new Promise((resolve) => {
      const ended = (how: string) => {
        // Makes the watcher exit.
        child.stdin?.destroy();
        resolve();
        if (!this.#ending) this.#options.onUnexpectedExit(how);
      };
      child.once("exit", (code, signal) => ended(signal === null ? `exit code ${code}` : signal));
      child.once("error", (error) => ended(error.message));
    });
  }

  /** Sends SIGSTOP, which is like a machine that hangs: connections stay open, but nothing answers. */
  freeze(): void {
    this.#child?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child?.kill("SIGCONT");
  }

  /** Sends SIGKILL, so the process cannot close anything. Resolves when it has exited. */
  async kill(): Promise<void> {
    this.#ending = true;
    this.#child?.kill("SIGKILL");
    await this.#exited;
  }

  /** Stops the process gracefully, or kills it if that takes too long. */
  async stop(): Promise<void> {
    this.#ending = true;
    this.thaw();
    using _insist = this.#options.clock.schedule(STOP_TIMEOUT_MS, () => this.#child?.kill("SIGKILL"));
    this.#child?.kill("SIGTERM");
    await this.#exited;
  }

  /** The last lines of the daemon's log. */
  logTail(): string {
    try {
      return readFileSync(this.#options.logFile, "utf8").trimEnd().split("\n").slice(-TAIL_LINES).join("\n");
    } catch {
      return "";
    }
  }
}
