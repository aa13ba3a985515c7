/** Commands where little can be written: no temporary directory, or a database on a read-only file system. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { backUp } from "../../src/store/recovery/backup.ts";
import { openStore } from "../../src/store/store.ts";
import { appendMany } from "../store/support/archiving.ts";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { cleanEnv, LAUNCHER } from "../support/daemon-process.ts";
import { NEEDS_ROOT } from "../support/needs-root.ts";
import { expectFailure, runCommand } from "../support/run-command.ts";
import { smallDisk } from "../support/small-disk.ts";

const mayMount = (() => {
  try {
    smallDisk(1)[Symbol.dispose]();
    return true;
  } catch {
    return false;
  }
})();

/** Every mounted file system but $0 becomes read-only, for the command only. */
const ALL_READ_ONLY = `
  mount --make-rprivate /
  for mounted in $(awk '{ print $2 }' /proc/mounts | sort -r); do
    [ "$mounted" = "$0" ] || mount -o remount,bind,ro "$mounted" 2>/dev/null
  done
  for directory in /tmp /var/tmp; do if touch "$directory/oc-partnerd-test" 2>/dev/null; then exit 99; fi; done
  cd / && exec "$@"`;

function logWith(directory: string, rows: number): void {
  using store = openStore({ directory, clock: systemClock });
  appendMany(store, rows);
}

describe.skipIf(!mayMount)("where little can be written", NEEDS_ROOT, () => {
  test("archive and check need no directory for temporary files", () => {
    using disk = smallDisk(32);
    const data = join(disk.path, "data");
    logWith(data, 3_000);
    const run = (...args: string[]) =>
      spawnSync("unshare", ["--mount", "sh", "-c", ALL_READ_ONLY, disk.path, LAUNCHER, ...args, "--data", data], {
        encoding: "utf8",
        env: cleanEnv(),
      });
    expect(run("archive", "--before", "2900")).toMatchObject({ status: 0, stderr: "" });
    expect(run("check")).toMatchObject({ status: 0, stderr: "" });
  });

  test("a database on a read-only file system is not called damaged: the next step is to copy it", async () => {
    using disk = smallDisk(32);
    const [data, backup] = [join(disk.path, "data"), join(disk.path, "backup.db")];
    using elsewhere = temporaryDirectory();
    const live = openStore({ directory: join(elsewhere.path, "live"), clock: systemClock });
    appendMany(live, 100);
    cpSync(join(elsewhere.path, "live"), data, { recursive: true });
    await backUp({ from: join(elsewhere.path, "live"), to: backup, force: false, nowMs: 0 });
    live[Symbol.dispose]();
    rmSync(join(data, "oc-partnerd.db-shm"));
    expect(existsSync(join(data, "oc-partnerd.db-wal"))).toBe(true);
    expect(spawnSync("mount", ["-o", "remount,ro", disk.path]).status).toBe(0);
    const to = join(elsewhere.path, "to.db");
    for (const command of [["check"], ["export"], ["peers", "--as-of", "1"], ["backup", "--to", to]])
      expectFailure(await runCommand([...command, "--data", data]), 74, [
        `${data}/oc-partnerd.db cannot be read on a read-only file system`,
        "copy the database, and its -wal if there is one, to a writable directory, and name the copy",
      ]);
    const copy = join(elsewhere.path, "copy");
    cpSync(data, copy, { recursive: true });
    expect(await runCommand(["check", "--data", copy])).toMatchObject({ code: 0 });
    // A backup is a single file, which can be read there.
    expect(await runCommand(["check", "--data", backup])).toMatchObject({ code: 0 });
  });
});
