/** The crash campaign can fail: it detects a daemon that does not fsync. CI shows that it passes with the real daemon. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { isCampaign } from "../support/campaign.ts";

const MAIN = join(import.meta.dirname, "../crash/main.ts");

async function crash(args: readonly string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const exited = once(child, "exit") as Promise<[number | null]>;
  const [[code], stdout, stderr] = await Promise.all([exited, text(child.stdout), text(child.stderr)]);
  return { code, stdout, stderr };
}

/** Runs dozens of crashes until one of them shows it: `npm run campaign -- crash-plant`. */
test.runIf(isCampaign)("acknowledged and not on the disk: that is told, with the round and the files", async (context) => {
  using out = temporaryDirectory();
  const { code, stdout, stderr } = await crash(["--rounds", "20", "--plant", "synchronous-normal", "--out", out.path]);
  context.skip(stderr.includes("no power losses possible"), stderr);
  expect(stdout).toMatch(/^violations +[12]$/m);
  expect(stdout).toMatch(
    /^lane \d, round \d+ \(.*power loss.*\): (acknowledged up to sequence \d+, but in the file only up to|row \d+ was acknowledged, but is gone)/m,
  );
  expect(code).toBe(1);
  const [kept = ""] = readdirSync(out.path);
  expect(existsSync(join(out.path, kept, "disk/data/oc-partnerd.db"))).toBe(true);
  expect(existsSync(join(out.path, kept, "nats-server/store"))).toBe(true);
  expect(existsSync(join(out.path, kept, "daemon.log"))).toBe(true);
});

test("shows its options", async () => {
  const [help, unknown, plant] = await Promise.all([crash(["--help"]), crash(["--loud"]), crash(["--plant", "no-such-bug"])]);
  expect([help.code, unknown.code, plant.code]).toEqual([0, 64, 64]);
  expect(help.stdout).toContain("npm run crash -- --rounds 1000");
  expect(unknown.stderr).toContain("--loud");
  expect(plant.stderr).toContain('unknown planted bug "no-such-bug"');
});
