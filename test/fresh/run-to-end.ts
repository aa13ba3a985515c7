/** Runs a command until it exits. It never outlives this process, even if that is killed. */
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { endsWithParent } from "../../src/base/ends-with-parent.ts";

interface Options {
  readonly stdout?: "inherit" | "pipe";
  readonly stderr?: "inherit" | "pipe";
  readonly timeoutMs?: number;
}

interface Ended {
  /** Null if it was killed. */
  readonly code: number | null;
  /** The output, if piped. */
  readonly stdout: string;
  readonly stderr: string;
}

/** Output goes to this process's own unless it is piped. After `timeoutMs` the command is killed. */
export async function runToEnd(command: readonly string[], options: Options = {}): Promise<Ended> {
  const { stdout = "inherit", stderr = "inherit", timeoutMs } = options;
  const [program = "", ...args] = command;
  const child = spawn(...endsWithParent(program, args), { stdio: ["pipe", stdout, stderr] });
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  const exited = new Promise<number | null>((resolve, reject) => child.once("error", reject).once("exit", resolve));
  const [code, out, err] = await Promise.all([
    exited,
    child.stdout ? text(child.stdout) : "",
    child.stderr ? text(child.stderr) : "",
  ]);
  clearTimeout(timer);
  child.stdin?.destroy();
  return { code, stdout: out, stderr: err };
}
