/** Commands that are killed leave no unfinished files behind. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { removedIfKilled } from "../../../src/store/recovery/removed-if-killed.ts";
import { until } from "../../support/until.ts";
import { appendLongLog } from "../support/long-log.ts";
import { TemporaryStore, temporaryDirectory } from "../support/temporary-store.ts";

const SCRIPT = fileURLToPath(new URL("../support/killed-at-work.ts", import.meta.url));

test.each([
  ["backup", "SIGINT"],
  ["backup", "SIGKILL"],
  ["unarchive", "SIGINT"],
  ["unarchive", "SIGTERM"],
])("%s that %s ends while it is busy", async (work, signal) => {
  using temporary = new TemporaryStore();
  using directory = temporaryDirectory();
  appendLongLog(temporary.store, temporary.clock, 5);
  const to = join(directory.path, "it's new.db");
  const ended = spawnSync(process.execPath, [SCRIPT, work, temporary.directory, to, signal], { encoding: "utf8" });
  expect([ended.signal, ended.stderr]).toEqual([signal, ""]);
  await until(`nothing is left beside ${basename(to)}`, () => readdirSync(directory.path).length === 0);
});

test.skipIf(process.platform !== "linux")("a name can be used again at once, once the work is done", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "again");
  removedIfKilled([path])[Symbol.dispose]();
  writeFileSync(path, "");
  await until("the watcher has ended", () => !readdirSync("/proc").some((pid) => watches(pid, path)));
  expect(existsSync(path)).toBe(true);
});

function watches(pid: string, path: string): boolean {
  try {
    return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(path);
  } catch {
    // It has ended.
    return false;
  }
}
