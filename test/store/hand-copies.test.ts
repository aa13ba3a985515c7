/** Copies that an operator makes with `cp` beside a running daemon: they are sound as far as they go, or refused with what to do. */
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { verifyLog } from "../../src/store/check/at-start/verify-log.ts";
import { checkDatabase } from "../../src/store/check/check.ts";
import { openLogReader } from "../../src/store/log-reader.ts";
import { sentenceOf } from "../../src/store/model/finding.ts";
import { errorWith } from "../support/matchers.ts";
import { appendMany } from "./support/archiving.ts";
import { TemporaryStore } from "./support/temporary-store.ts";

let temporary: TemporaryStore;
let copies: string;
beforeEach(() => {
  temporary = new TemporaryStore();
  copies = join(temporary.directory, "copies");
  mkdirSync(copies);
});
afterEach(() => temporary[Symbol.dispose]());

const copyDatabase = () => copyFileSync(temporary.path, join(copies, "oc-partnerd.db"));
const copyWal = () => copyFileSync(`${temporary.path}-wal`, join(copies, "oc-partnerd.db-wal"));
const verified = async () => (await verifyLog({ directory: copies, signal: new AbortController().signal })).rows;
const headOf = (path: string) => {
  using reader = openLogReader(path);
  return reader.head().seq;
};

it("a copy without the -wal has the rows of the last checkpoint", async () => {
  appendMany(temporary.store, 20);
  expect(temporary.store.emptyWal()).toBe(true);
  appendMany(temporary.store, 5);
  copyDatabase();
  expect(headOf(copies)).toBe(20);
  expect(checkDatabase({ path: copies }).findings).toEqual([]);
  expect(await verified()).toBe(20);
});

it("a copy with the -wal has all rows", async () => {
  appendMany(temporary.store, 20);
  copyDatabase();
  copyWal();
  expect(headOf(copies)).toBe(20);
  expect(checkDatabase({ path: copies }).findings).toEqual([]);
  expect(await verified()).toBe(20);
});

it("a copy whose -wal is from before a checkpoint of the database has the rows of the -wal", async () => {
  appendMany(temporary.store, 20);
  copyWal();
  appendMany(temporary.store, 20);
  expect(temporary.store.emptyWal()).toBe(true);
  copyDatabase();
  expect(headOf(copies)).toBe(20);
  expect(checkDatabase({ path: copies }).findings).toEqual([]);
});

it("a copy whose -wal is from after a checkpoint that the database lacks is found, and a daemon refuses it", async () => {
  appendMany(temporary.store, 20);
  expect(temporary.store.emptyWal()).toBe(true);
  copyDatabase();
  appendMany(temporary.store, 500);
  expect(temporary.store.emptyWal()).toBe(true);
  appendMany(temporary.store, 20);
  copyWal();
  expect(checkDatabase({ path: copies }).findings.map(sentenceOf)).toContain(
    "table event_log: cannot be read to its end: database disk image is malformed",
  );
  await expect(verified()).rejects.toThrow(errorWith("database_failed", /^cannot verify .*oc-partnerd\.db: .*malformed$/));
});
