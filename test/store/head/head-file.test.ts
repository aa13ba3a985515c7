/** The head file beside the database: its contents, when it is written, and how a start uses it. */
import fs, { copyFileSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HeadFile, readHeadFile } from "../../../src/store/head/head-file.ts";
import { openStore } from "../../../src/store/store.ts";
import { errorWith } from "../../support/matchers.ts";
import { PEER_A } from "../../support/peers.ts";
import { append, desired, observe, opened, openFailed } from "../support/events.ts";
import { TemporaryStore } from "../support/temporary-store.ts";

let temporary: TemporaryStore;
let path: string;
beforeEach(() => {
  temporary = new TemporaryStore();
  path = join(temporary.directory, "oc-partnerd.head");
});
afterEach(() => temporary[Symbol.dispose]());

const head = () => readHeadFile(path);
const open = () => openStore({ directory: temporary.directory, clock: temporary.clock });

describe("the head file", () => {
  it("exists from the start, is private, and has the newest row after each commit", () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(head()).toEqual({ kind: "head", head: { seq: 0, chainHash: "0".repeat(64), atMs: null } });
    append(temporary.store, desired());
    expect(head()).toEqual({ kind: "head", head: temporary.store.head() });
    observe(temporary.store, opened(PEER_A));
    expect(head()).toMatchObject({ head: { seq: 2 } });
    expect(head()).toEqual({ kind: "head", head: temporary.store.head() });
  });

  it("is closed after a failed write, and opened again for the next", () => {
    const opened: number[] = [];
    const real = { openSync: fs.openSync, writeSync: fs.writeSync };
    const at = { seq: 1, chainHash: "0".repeat(64), atMs: null };
    using headFile = new HeadFile(join(temporary.directory, "other.head"));
    try {
      fs.openSync = (...options) => {
        const descriptor = real.openSync(...options);
        opened.push(descriptor);
        return descriptor;
      };
      fs.writeSync = () => {
        throw new Error("no space left");
      };
      syncBuiltinESMExports();
      headFile.write(at);
    } finally {
      Object.assign(fs, real);
      syncBuiltinESMExports();
    }
    expect(headFile.failing?.message).toContain("no space left");
    expect(opened).toHaveLength(1);
    for (const descriptor of opened) expect(() => fs.fstatSync(descriptor)).toThrow("EBADF");
    headFile.write(at);
    expect(headFile.failing).toBeNull();
  });

  it("has a fixed size, so that it can be overwritten in place", () => {
    const { ino, size } = statSync(path);
    append(temporary.store, desired());
    expect(statSync(path)).toMatchObject({ ino, size });
    expect(readFileSync(path, "utf8").split("\n")).toHaveLength(2);
  });

  it("stays as it is where nothing was appended", () => {
    observe(temporary.store, openFailed(PEER_A));
    const before = readFileSync(path);
    observe(temporary.store, openFailed(PEER_A));
    temporary.write("create trigger full before insert on event_log begin select raise(abort, 'no room'); end");
    expect(() => append(temporary.store, desired())).toThrow("no room");
    expect(readFileSync(path)).toEqual(before);
  });

  it("is created again if it is missing, for example for a log of an earlier version", () => {
    append(temporary.store, desired());
    temporary.store[Symbol.dispose]();
    rmSync(path);
    const store = temporary.reopen();
    expect(head()).toEqual({ kind: "head", head: store.head() });
  });

  it("may be behind the log, for example after a power cut", () => {
    const before = readFileSync(path);
    append(temporary.store, desired());
    append(temporary.store, desired({ name: "lyon-2" }));
    temporary.store[Symbol.dispose]();
    writeFileSync(path, before);
    expect(temporary.reopen().head().seq).toBe(2);
    expect(head()).toMatchObject({ head: { seq: 2 } });
  });
});

describe("a log that does not match its head file", () => {
  it("is rejected if it ends earlier, and the error gives both positions", () => {
    append(temporary.store, desired());
    const earlier = join(temporary.directory, "earlier.db");
    temporary.store[Symbol.dispose]();
    copyFileSync(temporary.path, earlier);
    const store = temporary.reopen();
    for (const name of ["lyon-2", "lyon-3"]) append(store, desired({ name }));
    store[Symbol.dispose]();
    copyFileSync(earlier, temporary.path);
    expect(open).toThrow(errorWith("log_truncated", /oc-partnerd\.head names seq 3, the log ends at seq 1$/));
    try {
      open();
    } catch (thrown) {
      expect(thrown).toMatchObject({
        exitCode: 74,
        nextStep: expect.stringMatching(/oc-partnerd check.*oc-partnerd restore/) as string,
      });
    }
    // Nothing was changed, so the head file still has that row.
    expect(head()).toMatchObject({ head: { seq: 3 } });
  });

  it("is rejected if it is a different log of the same length", () => {
    append(temporary.store, desired());
    temporary.store[Symbol.dispose]();
    using other = new TemporaryStore();
    append(other.store, desired({ name: "oslo-1" }));
    other.store[Symbol.dispose]();
    copyFileSync(other.path, temporary.path);
    expect(open).toThrow(
      errorWith(
        "log_truncated",
        /names chain hash [0-9a-f]{64} for seq 1, the log, which ends at seq 1, has [0-9a-f]{64} there$/,
      ),
    );
  });

  it("is rejected if it is empty", () => {
    append(temporary.store, desired());
    temporary.store[Symbol.dispose]();
    rmSync(temporary.path);
    expect(open).toThrow(errorWith("log_truncated", /names seq 1, the log ends at seq 0$/));
  });

  it.each([
    ["no JSON", "nonsense\n"],
    ["another JSON", '{"seq":1}\n'],
    ["a head in another form", `${JSON.stringify({ seq: 0, chainHash: "0".repeat(64), atMs: null })}\n`],
    ["another beginning", "nonsense"],
  ])("is rejected if the head file is damaged: %s", (_, text) => {
    temporary.store[Symbol.dispose]();
    writeFileSync(path, text);
    expect(open).toThrow(errorWith("database_failed", /oc-partnerd\.head, the head file of the event log, is damaged/));
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  it.each([
    ["is empty", ""],
    ["is zeros", "\0".repeat(160)],
    ["has the first bytes of a line", '{"se'],
    ["has a part of a line", '{"seq":0,"chainHash":"0000'],
  ])("is accepted if the head file %s: a power loss may leave that of a new file", (_, text) => {
    temporary.store[Symbol.dispose]();
    writeFileSync(path, text);
    temporary.reopen();
    expect(head()).toMatchObject({ kind: "head" });
  });
});

describe("an unwritable head file", () => {
  it("fails no append, is reported, and is retried at the next append", () => {
    temporary.store[Symbol.dispose]();
    rmSync(path);
    // The link points nowhere yet, so not even root can write it.
    const elsewhere = join(temporary.directory, "elsewhere");
    symlinkSync(join(elsewhere, "head"), path);
    const store = temporary.reopen();
    expect(store.headFailing?.message).toMatch(/cannot write .*oc-partnerd\.head: ENOENT/);
    expect(append(store, desired())).toMatchObject({ seq: 1 });
    expect(store.headFailing).not.toBeNull();
    mkdirSync(elsewhere);
    append(store, desired({ name: "lyon-2" }));
    expect(store.headFailing).toBeNull();
    expect(head()).toEqual({ kind: "head", head: store.head() });
  });

  it("that cannot be read either prevents the start", () => {
    temporary.store[Symbol.dispose]();
    rmSync(path);
    mkdirSync(path);
    expect(open).toThrow(errorWith("database_failed", /cannot read .*oc-partnerd\.head/));
    rmSync(path, { recursive: true });
  });
});
