/** Which files and directories are fsynced, and in which order with the renames: each of them is needed after a power cut. */
import fs, { copyFileSync, readlinkSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { unarchive } from "../../src/store/archive/unarchive.ts";
import { backUp } from "../../src/store/recovery/backup.ts";
import { restoreBackup } from "../../src/store/recovery/restore.ts";
import { openStore } from "../../src/store/store.ts";
import { appendMany, archiveBefore } from "./support/archiving.ts";
import { TemporaryStore, temporaryDirectory } from "./support/temporary-store.ts";

/** Fsyncs, renames and links, by the names of files and directories. */
const happened: string[] = [];

const real = { fsyncSync: fs.fsyncSync, renameSync: fs.renameSync, linkSync: fs.linkSync };

/** The functions of node:fs themselves, since the test files of a worker share the modules that import them. */
function watchFiles(): void {
  fs.fsyncSync = (descriptor) => {
    happened.push(`fsync ${nameOf(fs.readlinkSync(`/proc/self/fd/${descriptor}`))}`);
    real.fsyncSync(descriptor);
  };
  fs.renameSync = (from, to) => {
    happened.push(`rename ${nameOf(String(from))} ${nameOf(String(to))}`);
    real.renameSync(from, to);
  };
  fs.linkSync = (from, to) => {
    happened.push(`link ${nameOf(String(from))} ${nameOf(String(to))}`);
    real.linkSync(from, to);
  };
  syncBuiltinESMExports();
}

let temporary: TemporaryStore;
let elsewhere: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  temporary = new TemporaryStore();
  elsewhere = temporaryDirectory();
  appendMany(temporary.store, 20);
  if (isLinux()) watchFiles();
  happened.length = 0;
});
afterEach(() => {
  Object.assign(fs, real);
  syncBuiltinESMExports();
  temporary[Symbol.dispose]();
  elsewhere[Symbol.dispose]();
});

describe.skipIf(!isLinux())("is on the disk before anything depends on it", () => {
  it("the write-ahead log that a start finds, and its directory entry", () => {
    copyFileSync(temporary.path, join(elsewhere.path, "oc-partnerd.db"));
    copyFileSync(`${temporary.path}-wal`, join(elsewhere.path, "oc-partnerd.db-wal"));
    using store = openStore({ directory: elsewhere.path, clock: temporary.clock });
    expect(store.head().seq).toBe(20);
    expect(happened).toEqual(["fsync oc-partnerd.db-wal", `fsync ${nameOf(elsewhere.path)}`, "fsync oc-partnerd.head"]);
  });

  it("the directories that a first start creates, before the files in them", () => {
    using store = openStore({ directory: join(elsewhere.path, "new", "data"), clock: temporary.clock });
    expect(store.head().seq).toBe(0);
    expect(happened.slice(0, 2)).toEqual([`fsync ${nameOf(elsewhere.path)}`, "fsync new"]);
  });

  it("an archive file, its name, and the name of its directory", async () => {
    let anchored: readonly string[] = [];
    await archiveBefore(temporary.directory, 10, {
      onProgress(step) {
        if (step === "written") anchored = [...happened];
      },
    });
    const file = "oc-partnerd-events-1-9.jsonl.gz";
    expect(anchored.slice(-4)).toEqual([
      `fsync ${file}.partial`,
      `rename ${file}.partial ${file}`,
      "fsync archive",
      `fsync ${nameOf(temporary.directory)}`,
    ]);
  });

  it.each([false, true])("a backup and its name (force: %s)", async (force) => {
    await backUp({ from: temporary.directory, to: join(elsewhere.path, "b.db"), force, nowMs: 0 });
    const partial = `.b.db.partial-${process.pid}`;
    expect(happened.slice(-3)).toEqual([
      `fsync ${partial}`,
      `${force ? "rename" : "link"} ${partial} b.db`,
      `fsync ${nameOf(elsewhere.path)}`,
    ]);
  });

  it("a database that unarchive rebuilds, and its name", async () => {
    await archiveBefore(temporary.directory, 10);
    happened.length = 0;
    await unarchive({ files: [], data: temporary.directory, to: join(elsewhere.path, "whole.db") });
    expect(happened.slice(-3)).toEqual([
      "fsync oc-partnerd.db",
      "rename oc-partnerd.db whole.db",
      `fsync ${nameOf(elsewhere.path)}`,
    ]);
  });

  it("a restored database and its name, before its head file", async () => {
    const backup = join(elsewhere.path, "b.db");
    await backUp({ from: temporary.directory, to: backup, force: false, nowMs: 0 });
    temporary.store[Symbol.dispose]();
    happened.length = 0;
    await restoreBackup({ directory: temporary.directory, from: backup, nowMs: 0 });
    const restored = [...happened];
    temporary.reopen();
    const directory = `fsync ${nameOf(temporary.directory)}`;
    const put = restored.indexOf("rename oc-partnerd.db.restoring oc-partnerd.db");
    expect(restored.slice(0, put)).toContain("fsync oc-partnerd.db.restoring");
    expect(restored.slice(put + 1)).toEqual([
      directory,
      expect.stringMatching(/^rename oc-partnerd\.head .*\.head$/),
      "fsync oc-partnerd.head",
      directory,
    ]);
  });
});

function nameOf(path: string): string {
  return basename(path);
}

function isLinux(): boolean {
  try {
    return readlinkSync("/proc/self/exe") !== "";
  } catch {
    return false;
  }
}
