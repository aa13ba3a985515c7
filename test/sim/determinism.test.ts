import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, it } from "vitest";

const SEEDS = 3;

/** What `--hashes` prints, in a process of its own. */
async function hashes(...flags: readonly string[]): Promise<string> {
  const args = [
    join(import.meta.dirname, "main.ts"),
    "--hashes",
    "--seeds",
    String(SEEDS),
    "--twice-every",
    "0",
    "--keep-going",
    ...flags,
  ];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"], timeout: 110_000, killSignal: "SIGKILL" });
  const exited = once(child, "exit");
  const printed = await text(child.stdout);
  // A violation would be for others to report.
  expect(await exited).toEqual([expect.toBeOneOf([0, 1]), null]);
  return printed;
}

it("gives the same trace for the same seed, in another process, on another thread, after other seeds", {
  timeout: 120_000,
}, async () => {
  const first = await hashes("--workers", "1");
  expect(first).toMatch(new RegExp(`^(\\d+ [0-9a-f]{64}\n){${SEEDS}}$`));
  expect(await hashes("--workers", String(SEEDS))).toBe(first);
});
