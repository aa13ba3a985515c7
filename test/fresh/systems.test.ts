import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { runDirectory } from "./systems.ts";

test("a run has its own directory, and removes those of killed runs", () => {
  using runs = temporaryDirectory();
  const { pid: dead } = spawnSync("true");
  for (const pid of [dead, process.pid, process.ppid])
    mkdirSync(join(runs.path, String(pid), "debian-12/home"), { recursive: true });
  {
    using directory = runDirectory(runs.path);
    expect(directory.path).toBe(join(runs.path, String(process.pid)));
    expect(readdirSync(directory.path)).toEqual([]);
    expect(readdirSync(runs.path).sort()).toEqual([process.pid, process.ppid].map(String).sort());
  }
  expect(readdirSync(runs.path)).toEqual([String(process.ppid)]);
});
