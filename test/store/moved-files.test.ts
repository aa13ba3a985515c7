/** The files of an open store are moved, deleted or replaced: nothing is appended until they are back. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkDatabase } from "../../src/store/check/check.ts";
import { readHeadFile } from "../../src/store/head/head-file.ts";
import { OpenFiles } from "../../src/store/sql/open-files.ts";
import { walBytes } from "../../src/store/sql/wal.ts";
import { openStore, type Store } from "../../src/store/store.ts";
import { errorWith } from "../support/matchers.ts";
import { PEER_A, PEER_B } from "../support/peers.ts";
import { append, desired, observe, opened, openFailed } from "./support/events.ts";
import { rawConnection, TemporaryStore, temporaryDirectory } from "./support/temporary-store.ts";

let temporary: TemporaryStore;
let store: Store;
let elsewhere: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  temporary = new TemporaryStore();
  ({ store } = temporary);
  elsewhere = temporaryDirectory();
  append(store, desired());
});
afterEach(() => {
  temporary[Symbol.dispose]();
  elsewhere[Symbol.dispose]();
});

const away = () => join(elsewhere.path, "away");
const refuses = (why: RegExp) => {
  expect(() => append(store, desired({ peerId: PEER_B }))).toThrow(errorWith("database_moved", why));
  expect(() => observe(store, opened(PEER_A))).toThrow(errorWith("database_moved", why));
  expect(() => store.checkFiles()).toThrow(errorWith("database_moved", why));
  expect([store.head().seq, store.get(PEER_B)]).toEqual([1, undefined]);
};
const worksAgain = () => {
  expect(append(store, desired({ peerId: PEER_B }))).toMatchObject({ seq: 2 });
  temporary.reopen();
  expect(checkDatabase({ path: temporary.directory }).findings).toEqual([]);
};

describe.each(["oc-partnerd.db", "oc-partnerd.db-wal", "oc-partnerd.db-shm"])("%s", (name) => {
  it("moved: appends fail and name the next step, until it is back", () => {
    const path = join(temporary.directory, name);
    renameSync(path, away());
    refuses(new RegExp(`${path} was moved or deleted while it was in use`));
    try {
      store.checkFiles();
    } catch (thrown) {
      expect(thrown).toMatchObject({ nextStep: expect.stringMatching(/^put the original back; if it is lost, /) as string });
    }
    renameSync(away(), path);
    worksAgain();
  });

  it("replaced by a copy, as an editor or a restore does: appends fail, until the original is back", () => {
    const path = join(temporary.directory, name);
    renameSync(path, away());
    copyFileSync(away(), path);
    refuses(new RegExp(`${path} was replaced while it was in use`));
    renameSync(away(), path);
    worksAgain();
  });
});

describe("the data directory", () => {
  it("moved, and another one in its place: appends fail, until it is back", () => {
    renameSync(temporary.directory, away());
    refuses(/oc-partnerd\.db was moved or deleted/);
    mkdirSync(temporary.directory);
    openStore({ directory: temporary.directory, clock: temporary.clock })[Symbol.dispose]();
    refuses(/oc-partnerd\.db was replaced/);
    rmSync(temporary.directory, { recursive: true });
    renameSync(away(), temporary.directory);
    worksAgain();
  });

  it("replaced: closing the store leaves the new one alone", () => {
    // The row, a count that is written at once, and one that waits.
    for (let count = 0; count < 3; count++) observe(store, openFailed(PEER_A));
    renameSync(temporary.directory, away());
    mkdirSync(temporary.directory);
    using other = openStore({ directory: temporary.directory, clock: temporary.clock });
    append(other, desired({ peerId: PEER_B }));
    const before = readFileSync(`${temporary.path}-wal`);
    expect(() => store[Symbol.dispose]()).toThrow(errorWith("database_moved", /was replaced/));
    expect(readFileSync(`${temporary.path}-wal`)).toEqual(before);
    append(other, desired({ peerId: PEER_A }));
    expect(checkDatabase({ path: temporary.directory }).findings).toEqual([]);
  });
});

describe("the write-ahead log, deleted", () => {
  it("loses nothing if the store is closed next", () => {
    rmSync(`${temporary.path}-wal`);
    refuses(/-wal was moved or deleted/);
    temporary.reopen();
    expect(temporary.store.head().seq).toBe(1);
    expect(checkDatabase({ path: temporary.directory }).findings).toEqual([]);
  });
});

describe("truncated in place, as the rotation of a log does", () => {
  it.each([0, 100, 9_000])("the write-ahead log, to %i bytes: appends fail, and no row is added behind the hole", (bytes) => {
    truncateSync(`${temporary.path}-wal`, bytes);
    refuses(/oc-partnerd\.db-wal was truncated while it was in use/);
    expect(() => store[Symbol.dispose]()).toThrow(errorWith("database_failed", /SQLITE_IOERR_SHORT_READ/));
  });

  it("the database: appends fail", () => {
    expect(store.emptyWal()).toBe(true);
    truncateSync(temporary.path, 0);
    refuses(/oc-partnerd\.db was truncated while it was in use/);
  });

  it("is not said of a write-ahead log that a checkpoint empties, here or in another program", () => {
    expect(store.emptyWal()).toBe(true);
    store.checkFiles();
    append(store, desired({ peerId: PEER_B }));
    using raw = rawConnection(temporary.path);
    expect(raw.database.pragma("wal_checkpoint(TRUNCATE)", { simple: true })).toBe(0);
    append(store, desired({ peerId: PEER_A, relation: "NONE" }));
    raw.database.pragma("wal_checkpoint(PASSIVE)");
    truncateSync(`${temporary.path}-wal`, 0);
    append(store, desired({ peerId: PEER_A }));
    temporary.reopen();
    expect(checkDatabase({ path: temporary.directory }).findings).toEqual([]);
  });
});

describe("a further file, such as the lock", () => {
  it("counts like the database", () => {
    temporary.store[Symbol.dispose]();
    const path = join(temporary.directory, "needed");
    copyFileSync(temporary.path, path);
    const needed = [{ path, ifLost: "restart the daemon" }];
    temporary.store = openStore({ directory: temporary.directory, clock: temporary.clock, needed });
    ({ store } = temporary);
    renameSync(path, away());
    refuses(/needed was moved or deleted/);
  });
});

describe("the head file", () => {
  it.each(["moved", "replaced"])("%s: the next head is written where the next start looks for it", (how) => {
    const path = join(temporary.directory, "oc-partnerd.head");
    renameSync(path, away());
    if (how === "replaced") copyFileSync(away(), path);
    const before = readFileSync(away());
    append(store, desired({ peerId: PEER_B }));
    expect(readHeadFile(path)).toEqual({ kind: "head", head: store.head() });
    expect(readFileSync(away())).toEqual(before);
    expect([statSync(path).mode & 0o777, existsSync(path), store.headFailing]).toEqual([0o600, true, null]);
  });
});

it("a file that is created later counts from then on", () => {
  const path = join(elsewhere.path, "later");
  const files = new OpenFiles([{ path, ifLost: "create it again" }]);
  files.check();
  writeFileSync(path, "");
  files.check();
  rmSync(path);
  expect(() => files.check()).toThrow(errorWith("database_moved", /was moved or deleted/));
});

it("a database without a write-ahead log has none of it", () => {
  expect(walBytes(join(elsewhere.path, "none.db"))).toBe(0);
  expect(walBytes(temporary.path)).toBeGreaterThan(0);
});
