/** A database that litestream replicates: its tables, its long read, its lock on writes, and its checkpoints. */
import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { checkDatabase } from "../../src/store/check/check.ts";
import { sentenceOf } from "../../src/store/model/finding.ts";
import { append, desired } from "./support/events.ts";
import { appendLongLog } from "./support/long-log.ts";
import { rawConnection, TemporaryStore } from "./support/temporary-store.ts";

const found = (path: string) => checkDatabase({ path }).findings.map(sentenceOf);

/** Does to the database as litestream 0.3 does. Between two syncs it keeps a read transaction, so that no other program restarts the WAL. */
function attach(path: string) {
  const { database, ...owned } = rawConnection(path);
  const reader = rawConnection(path);
  database.pragma("wal_autocheckpoint = 0");
  database.exec("create table if not exists _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER)");
  database.exec("create table if not exists _litestream_lock (id INTEGER)");
  const bump = "insert into _litestream_seq (id, seq) values (1, 1) on conflict (id) do update set seq = seq + 1";
  const read = () => reader.database.exec("begin; select count(1) from _litestream_seq");
  database.exec(bump);
  read();
  return {
    sync(mode: "passive" | "restart" | "truncate"): void {
      reader.database.exec("rollback");
      database.pragma(`wal_checkpoint(${mode})`);
      database.exec(bump);
      read();
    },
    lockWrites: () => database.exec("begin; insert into _litestream_lock (id) values (1)"),
    unlockWrites: () => database.exec("rollback"),
    [Symbol.dispose]: () => {
      reader[Symbol.dispose]();
      owned[Symbol.dispose]();
    },
  };
}

test("appends, checks and restarts beside litestream, and check accepts its tables", () => {
  using temporary = new TemporaryStore();
  using litestream = attach(temporary.path);
  for (const mode of ["passive", "restart", "truncate", "passive"] as const) {
    appendLongLog(temporary.store, temporary.clock, 20);
    litestream.sync(mode);
    expect(found(temporary.directory)).toEqual([]);
    temporary.store.emptyWal();
    temporary.reopen();
    append(temporary.store, desired());
  }
  expect(existsSync(`${temporary.path}-wal`)).toBe(true);
  expect(temporary.read("select seq from _litestream_seq")).toEqual([{ seq: 5 }]);
});

test("an append fails while litestream holds the write lock, and works afterwards", () => {
  using temporary = new TemporaryStore();
  using litestream = attach(temporary.path);
  litestream.lockWrites();
  expect(() => append(temporary.store, desired())).toThrow(/locked/);
  litestream.unlockWrites();
  append(temporary.store, desired());
  expect(found(temporary.directory)).toEqual([]);
});

test("a trigger on one of its tables, and a view with such a name, are findings", () => {
  using temporary = new TemporaryStore();
  using _litestream = attach(temporary.path);
  temporary.write("create trigger t after update on _litestream_seq begin delete from _litestream_lock; end");
  temporary.write("create view _litestream_other as select 1");
  expect(found(temporary.directory)).toEqual([
    expect.stringContaining("trigger t") as string,
    expect.stringContaining("view _litestream_other") as string,
  ]);
});
