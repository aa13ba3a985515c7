/** A locked, read-only or damaged file under a running store: errors are reported, and the state in memory stays consistent. */
import { chmodSync, closeSync, openSync, readdirSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkDatabase } from "../../src/store/check/check.ts";
import { openStore } from "../../src/store/store.ts";
import { errorWith } from "../support/matchers.ts";
import { PEER_A, PEER_B } from "../support/peers.ts";
import { append, desired, observe, opened } from "./support/events.ts";
import { appendLongLog } from "./support/long-log.ts";
import { rawConnection, TemporaryStore, temporaryDirectory } from "./support/temporary-store.ts";

let temporary: TemporaryStore;
beforeEach(() => {
  temporary = new TemporaryStore();
});
afterEach(() => temporary[Symbol.dispose]());

/** Overwrites pages of the file, as a failing disk might. SQLite drops its cached copies at the next commit by another connection. */
function damage(pages: readonly number[]): void {
  const descriptor = openSync(temporary.path, "r+");
  for (const page of pages) writeSync(descriptor, Buffer.alloc(4_096, 0xff), 0, 4_096, (page - 1) * 4_096);
  closeSync(descriptor);
  temporary.write("create table other (x); drop table other");
}

const pagesOf = (...names: string[]) =>
  temporary
    .read(`select pageno from dbstat where name in (${names.map((name) => `'${name}'`).join(", ")})`)
    .map(({ pageno }) => Number(pageno));

describe("a locked file", () => {
  it("fails the append after the timeout, and leaves neither file nor memory changed", () => {
    temporary.store[Symbol.dispose]();
    using store = openStore({ directory: temporary.directory, clock: temporary.clock, busyTimeoutMs: 200 });
    append(store, desired());
    // A checkpoint does not wait for the lock; appends wait as long as before.
    expect(store.emptyWal()).toBe(true);
    {
      using blocker = rawConnection(temporary.path);
      blocker.database.exec("begin immediate");
      const startedMs = performance.now();
      expect(() => append(store, desired({ peerId: PEER_B }))).toThrow(
        errorWith("database_failed", /cannot append received events: database is locked \(SQLITE_BUSY\)/),
      );
      expect(performance.now() - startedMs).toBeGreaterThanOrEqual(190);
      expect(store.get(PEER_B)).toBeUndefined();
      expect(store.head().seq).toBe(1);
    }
    expect(append(store, desired({ peerId: PEER_B }))).toMatchObject({ seq: 2, effect: "changed" });
    expect(checkDatabase({ path: temporary.directory }).findings).toEqual([]);
  });
});

describe("a read-only file", () => {
  it("fails each append with a next step, and nothing else", () => {
    const isRoot = process.getuid?.() === 0;
    using directory = temporaryDirectory();
    const data = join(directory.path, "data");
    openStore({ directory: data, clock: temporary.clock })[Symbol.dispose]();
    // Permissions do not apply to root, so this runs as an unprivileged user, which can read the database.
    for (const path of [directory.path, data]) chmodSync(path, 0o777);
    for (const name of readdirSync(data)) chmodSync(join(data, name), name === "oc-partnerd.db" ? 0o444 : 0o666);
    if (isRoot) process.seteuid?.(65_534);
    try {
      if (!isRoot) {
        expect(() => openStore({ directory: data, clock: temporary.clock })).toThrow(
          errorWith("data_dir_unwritable", /oc-partnerd\.db/),
        );
        return;
      }
      using store = openStore({ directory: data, clock: temporary.clock });
      expect(() => append(store, desired())).toThrow(errorWith("database_failed", /readonly database \(SQLITE_READONLY.*\)/));
      expect([store.head().seq, store.list()]).toEqual([0, []]);
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });
});

describe("a page damaged while the store runs", () => {
  it("fails the appends that need it, each with a reason, while other appends succeed", () => {
    appendLongLog(temporary.store, temporary.clock, 60);
    temporary.store.emptyWal();
    const { store } = temporary;
    const [before, list] = [store.head(), store.list()];
    damage(pagesOf("event_log_type", "event_log_peer_id"));
    expect(() => append(store, desired({ peerId: PEER_A, name: "not to be" }))).toThrow(
      errorWith("database_failed", /cannot append received events: database disk image is malformed \(SQLITE_CORRUPT.*\)/),
    );
    expect(() => observe(store, opened(PEER_A))).toThrow(errorWith("database_failed", /cannot append StreamOpened: .*malformed/));
    try {
      observe(store, opened(PEER_A));
    } catch (thrown) {
      expect(thrown).toMatchObject({ nextStep: expect.stringContaining("oc-partnerd check") as string });
    }
    // The desired state is in memory, and does not depend on the disk.
    expect(store.list()).toEqual(list);
    expect(store.head()).toEqual(before);
    const places = checkDatabase({ path: temporary.directory }).findings.map(({ place }) => place);
    expect(places.some((place) => place.startsWith("page ") || place.includes("event_log"))).toBe(true);
  });
});
