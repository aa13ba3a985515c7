/** A minute of fuzzing, after all kept seeds. `npm run fuzz` does the same for longer. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { until } from "../support/until.ts";
import { TARGETS } from "./targets/all.ts";

const MAIN = join(import.meta.dirname, "main.ts");

async function fuzz(
  ...args: string[]
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = spawn(process.execPath, [MAIN, ...args]);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: child.exitCode, stdout, stderr };
}

test("a minute of hostile inputs, one worker, finds nothing", async () => {
  const { code, stdout } = await fuzz("--minutes", "1", "--workers", "1");
  expect(stdout).toMatch(/\nnothing found\n$/);
  for (const { name } of TARGETS) expect(stdout).toMatch(new RegExp(`^${name} +[1-9]`, "m"));
  expect(code).toBe(0);
});

test.each(["SIGINT", "SIGTERM"] as const)("after %s it prints the table, and leaves no file", async (signal) => {
  using own = temporaryDirectory();
  const child = spawn(process.execPath, [MAIN, "--target", "key", "--workers", "1"], {
    env: { ...process.env, TMPDIR: own.path },
  });
  const output = Promise.all([text(child.stdout), once(child, "close")]);
  const written = () => readdirSync(own.path, { recursive: true }).some((path) => path.toString().endsWith("identity.key"));
  await until("an input is in a file", written, 60_000);
  child.kill(signal);
  const [stdout] = await output;
  expect(stdout).toMatch(/^key +[1-9]/m);
  expect(child.exitCode).toBe(130);
  expect(readdirSync(own.path)).toEqual([]);
});

test("a file is run alone, and an unknown target is named with those that exist", async () => {
  const seed = join(import.meta.dirname, "seeds/heartbeat/ours");
  const [alone, unknown, untold] = await Promise.all([
    fuzz("--target", "heartbeat", "--input", seed),
    fuzz("--target", "hartbeat"),
    fuzz("--input", seed),
  ]);
  expect(alone).toMatchObject({ code: 0, stdout: `${seed}: no failure\n` });
  expect(unknown).toMatchObject({ code: 64, stdout: "" });
  expect(unknown.stderr).toContain("expected one of heartbeat, event,");
  expect(untold.stderr).toContain("--input needs one --target");
});
