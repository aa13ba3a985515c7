/** As root, `npm test` mounts file systems. None may be left behind, however the run ends. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { NEEDS_ROOT } from "../support/needs-root.ts";
import { until } from "../support/until.ts";

const ROOT = join(import.meta.dirname, "../..");
const OWN_MOUNTS = join(ROOT, "scripts/own-mounts");
const mayMount = spawnSync("unshare", ["--mount", "true"]).status === 0;

/** The mounts of the tests: in memory, and an ext4 image on a loop device, which the power loss tests need. */
const MOUNTS: [string, string][] = [
  ["a tmpfs", 'mount -t tmpfs oc-partnerd-test "$0/mounted"'],
  ["an image", 'truncate -s 16M "$0/image" && mkfs.ext4 -qF "$0/image" && mount -o loop "$0/image" "$0/mounted"'],
];

test.skipIf(!mayMount).each(MOUNTS)("a killed run leaves nothing of %s behind", NEEDS_ROOT, async (_, mount) => {
  using directory = temporaryDirectory();
  mkdirSync(join(directory.path, "mounted"));
  const script = `${mount} && grep -c " $0/mounted " /proc/self/mountinfo && exec sleep 60`;
  const run = spawn(OWN_MOUNTS, ["sh", "-c", script, directory.path], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(run, "exit");
  const [mounts] = (await once(createInterface({ input: run.stdout }), "line")) as [string];
  expect(mounts).toBe("1");
  run.kill("SIGKILL");
  await exited;
  expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(directory.path);
  await until("its loop device is free", () => !loopDevices().includes(directory.path));
});

function loopDevices(): string {
  return spawnSync("losetup", ["--list", "--noheadings", "--output", "BACK-FILE"], { encoding: "utf8" }).stdout;
}

test("every command that mounts file systems for tests has its own mount namespace", () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: Record<string, string> };
  const vitest = Object.entries(scripts).filter(([, command]) => command.includes("vitest run"));
  expect(vitest.length).toBeGreaterThan(1);
  for (const [name, command] of vitest) expect(`${name}: ${command}`).toContain("scripts/own-mounts vitest run");
});
