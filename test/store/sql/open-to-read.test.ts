/** A database that SQLite cannot read where it lies: the reason is named only on a read-only file system. */
import fs, { copyFileSync, mkdirSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openToRead } from "../../../src/store/sql/open-to-read.ts";
import { errorWith } from "../../support/matchers.ts";
import { TemporaryStore, temporaryDirectory } from "../support/temporary-store.ts";

const real = { accessSync: fs.accessSync };
let elsewhere: ReturnType<typeof temporaryDirectory>;
let path: string;

/** A database beside which SQLite cannot create its files, as on a read-only file system. */
beforeEach(() => {
  elsewhere = temporaryDirectory();
  path = join(elsewhere.path, "oc-partnerd.db");
  using temporary = new TemporaryStore();
  copyFileSync(temporary.path, path);
  mkdirSync(`${path}-wal`);
});
afterEach(() => {
  Object.assign(fs, real);
  syncBuiltinESMExports();
  elsewhere[Symbol.dispose]();
});

function accessFailsWith(code: string): void {
  fs.accessSync = () => {
    throw Object.assign(new Error(code), { code });
  };
  syncBuiltinESMExports();
}

it("names the file system if that is read-only", () => {
  accessFailsWith("EROFS");
  expect(() => openToRead(path)).toThrow(
    errorWith("database_failed", /cannot be read on a read-only file system: SQLite has to create oc-partnerd.db-shm beside it/),
  );
});

it.runIf(fs.existsSync("/proc/self/fd"))("closes what it refuses", () => {
  const isHeld = (descriptor: string) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${descriptor}`) === path;
    } catch {
      return false;
    }
  };
  accessFailsWith("EROFS");
  expect(() => openToRead(path)).toThrow(/read-only file system/);
  expect(fs.readdirSync("/proc/self/fd").filter(isHeld)).toEqual([]);
});

it.each(["EACCES", "writable"])("leaves it to the first read to fail otherwise: %s", (code) => {
  if (code !== "writable") accessFailsWith(code);
  const database = openToRead(path);
  expect(() => database.prepare("select 1 from sqlite_schema").get()).toThrow(/unable to open|CANTOPEN/);
  database.close();
});
