/** Runs `oc-partnerd <command>` until it exits, like a user's shell. */
import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { expect } from "vitest";
import { cleanEnv, LAUNCHER } from "./daemon-process.ts";
import { startDeadline } from "./pace/pace.ts";

/** Kills a command that should have failed but keeps running. */
const TIMEOUT_MS = 45_000;

export interface CommandResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Default: a directory without a configuration file. */
  readonly cwd?: string;
  /** After this time the command is killed and the call rejects. */
  readonly timeoutMs?: number;
}

export async function runCommand(
  args: readonly string[],
  { env = {}, cwd = tmpdir(), timeoutMs = TIMEOUT_MS }: CommandOptions = {},
): Promise<CommandResult> {
  using limit = startDeadline(timeoutMs, `oc-partnerd ${args.join(" ")} did not end`);
  const child = spawn(LAUNCHER, args, {
    cwd,
    env: { ...cleanEnv(), ...env },
    stdio: ["ignore", "pipe", "pipe"],
    signal: limit.signal,
    killSignal: "SIGKILL",
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (chunk: string) => {
      output[name] += chunk;
    });
  }
  return await new Promise((resolve, reject) => {
    child.once("error", (error) => reject(limit.signal.aborted ? (limit.signal.reason as Error) : error));
    child.once("close", (code, signal) => resolve({ code, signal, ...output }));
  });
}

/** Expects one message that contains all of `mentions`, a next step, no stack trace, and this exit code. */
export function expectFailure(result: CommandResult, code: number, mentions: readonly string[]): void {
  const { stderr } = result;
  expect(result).toMatchObject({ code, signal: null });
  expect(stderr.match(/^oc-partnerd: /gm), stderr).toHaveLength(1);
  expect(stderr.match(/^ {2}next step: \S/gm), stderr).toHaveLength(1);
  expect(stderr, "no stack trace").not.toMatch(/^\s+at .*[:(]/m);
  for (const mention of mentions) expect(stderr).toContain(mention);
}
