import { execFileSync } from "node:child_process";
import { hash } from "node:crypto";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import { checkDatabase } from "../../../src/store/check/check.ts";
import { openLogReader } from "../../../src/store/log-reader.ts";
import { APPLICATION_ID, openDatabase } from "../../../src/store/sql/open.ts";
import { errorWith } from "../../support/matchers.ts";
import { append, desired } from "../support/events.ts";
import { rawConnection, TemporaryStore, temporaryDirectory } from "../support/temporary-store.ts";

function failureOf(directory: string): PartnerdError {
  try {
    openDatabase(directory).close();
  } catch (thrown) {
    if (thrown instanceof PartnerdError) return thrown;
    throw thrown;
  }
  throw new Error("the database opened");
}

const sha256 = (text: string) => hash("sha256", text, "hex");

function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}

describe("a new database", () => {
  it("is created in a private directory, as private files", () => {
    using temporary = temporaryDirectory();
    const directory = join(temporary.path, "not", "there");
    const database = openDatabase(directory);
    try {
      expect(modeOf(directory)).toBe("700");
      for (const file of ["oc-partnerd.db", "oc-partnerd.db-wal", "oc-partnerd.db-shm"])
        expect(modeOf(join(directory, file))).toBe("600");
    } finally {
      database.close();
    }
  });

  it("is marked as ours", () => {
    using temporary = new TemporaryStore();
    expect(temporary.read("pragma application_id")).toEqual([{ application_id: 0x6f637064 }]);
  });

  it("finds its migrations from any working directory", () => {
    using temporary = temporaryDirectory();
    const script = `
      import { openDatabase } from ${JSON.stringify(join(import.meta.dirname, "../../../src/store/sql/open.ts"))};
      console.log(openDatabase(${JSON.stringify(temporary.path)}).prepare("select count(*) from peer_history").pluck().get());`;
    const output = execFileSync(process.execPath, ["--input-type=module-typescript", "--eval", script], {
      cwd: tmpdir(),
      encoding: "utf8",
    });
    expect(output.trim()).toBe("0");
  });
});

describe("every connection", () => {
  it("commits with a full sync, also after a write and after reopening", () => {
    using temporary = new TemporaryStore();
    append(temporary.store, desired());
    temporary.store[Symbol.dispose]();
    const database = openDatabase(temporary.directory);
    try {
      database.exec("create table scratch (x); insert into scratch values (1)");
      expect(database.pragma("synchronous", { simple: true })).toBe(2);
      expect(database.pragma("journal_mode", { simple: true })).toBe("wal");
      expect(database.pragma("recursive_triggers", { simple: true })).toBe(1);
      expect(database.pragma("busy_timeout", { simple: true })).toBe(5_000);
    } finally {
      database.close();
    }
  });
});

describe("an unusable directory", () => {
  it("is rejected if the user may not write", () => {
    using temporary = temporaryDirectory();
    const directory = join(temporary.path, "data");
    mkdirSync(directory);
    const isRoot = process.getuid?.() === 0;
    // Permissions do not apply to root, so this runs as an unprivileged user, which can enter all parent directories.
    chmodSync(temporary.path, 0o755);
    chmodSync(directory, 0o500);
    if (isRoot) chownSync(directory, 65_534, 65_534);
    if (isRoot) process.seteuid?.(65_534);
    try {
      const failure = failureOf(directory);
      expect(failure.code).toBe("data_dir_unwritable");
      expect(failure.message).toContain(directory);
      expect(failure.nextStep).toContain("--data");
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  it("is rejected if it is a file", () => {
    using temporary = temporaryDirectory();
    const path = join(temporary.path, "file");
    writeFileSync(path, "");
    expect(failureOf(path).code).toBe("data_dir_unwritable");
  });

  it.runIf(existsSync("/proc/self"))("is refused where the file system holds no directories of ours", () => {
    expect(failureOf("/proc/oc-partnerd/data").code).toBe("data_dir_unwritable");
  });

  it("is created with all its parent directories", () => {
    using temporary = temporaryDirectory();
    const directory = join(temporary.path, "a/b/c");
    openDatabase(directory).close();
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });
});

describe("an unsuitable database", () => {
  it("is rejected if its schema is newer, and stays unchanged", () => {
    using temporary = new TemporaryStore();
    temporary.store[Symbol.dispose]();
    temporary.write("insert into __drizzle_migrations (hash, created_at) values ('of the future', 9999999999999)");
    const before = readFileSync(temporary.path);
    const failure = failureOf(temporary.directory);
    expect(failure.code).toBe("database_newer");
    expect(failure.message).toMatch(/schema version 4, .*this one knows schema version 3/);
    expect(failure.nextStep).toContain("newer");
    expect(readFileSync(temporary.path)).toEqual(before);
  });

  it("is not called newer if another version wrote it with other migrations", () => {
    using temporary = new TemporaryStore();
    temporary.store[Symbol.dispose]();
    temporary.write("update __drizzle_migrations set hash = 'of another pre-release' where rowid = 3");
    expect(failureOf(temporary.directory)).toMatchObject({
      code: "database_newer",
      nextStep: "run the version that wrote it, or start with an empty data directory (--data DIR)",
    });
  });

  it.each([
    ["its first migration", []],
    ["all of its migrations", ["second", "third"]],
  ])("is refused where a pre-release version wrote it with %s, and stays as it was", (_, later) => {
    using temporary = temporaryDirectory();
    const path = join(temporary.path, "oc-partnerd.db");
    const first = readFileSync(join(import.meta.dirname, "../../fixtures/pre-release.sql"), "utf8");
    const database = new Database(path);
    database.exec(first.replaceAll("--> statement-breakpoint", ""));
    database.exec("create table __drizzle_migrations (id integer primary key, hash text not null, created_at numeric)");
    const migrated = database.prepare("insert into __drizzle_migrations (hash, created_at) values (?, 1795380151737)");
    for (const hash of [sha256(first), ...later]) migrated.run(hash);
    database.pragma(`application_id = ${APPLICATION_ID}`);
    database.close();
    const before = readFileSync(path);
    const failure = failureOf(temporary.path);
    expect(failure).toMatchObject({ code: "database_retired", exitCode: 78 });
    expect(failure.message).toContain(path);
    expect(failure.nextStep).toMatch(/empty data directory .*identity\.key/);
    expect(() => openLogReader(temporary.path)).toThrow(errorWith("database_retired", /pre-release/));
    expect(() => checkDatabase({ path })).toThrow(errorWith("database_retired", /pre-release/));
    expect(readFileSync(path)).toEqual(before);
  });

  it.each([
    ["another application_id", "create table t (x); pragma application_id = 1234"],
    ["tables and no application_id", "create table t (x)"],
  ])("is rejected if it has %s", (_, statement) => {
    using temporary = temporaryDirectory();
    const path = join(temporary.path, "oc-partnerd.db");
    const foreign = new Database(path);
    foreign.exec(statement);
    foreign.close();
    const before = readFileSync(path);
    const failure = failureOf(temporary.path);
    expect(failure.code).toBe("database_failed");
    expect(failure.message).toContain("another program");
    expect(readFileSync(path)).toEqual(before);
  });

  it("is rejected if it is not a database", () => {
    using temporary = temporaryDirectory();
    writeFileSync(join(temporary.path, "oc-partnerd.db"), "this is a note, and not a database ".repeat(50));
    const failure = failureOf(temporary.path);
    expect(failure.code).toBe("database_failed");
    expect(failure.message).toContain("SQLITE_NOTADB");
    expect(failure.nextStep).toContain("backup");
  });

  it("is rejected if it is truncated", () => {
    using temporary = new TemporaryStore();
    temporary.store[Symbol.dispose]();
    truncateSync(temporary.path, 6_000);
    const failure = failureOf(temporary.directory);
    expect(failure.code).toBe("database_failed");
    expect(failure.message).toContain("SQLITE_CORRUPT");
  });

  it("is accepted if an earlier start was killed before it wrote anything", () => {
    using temporary = temporaryDirectory();
    writeFileSync(join(temporary.path, "oc-partnerd.db"), "");
    openDatabase(temporary.path).close();
    using raw = rawConnection(join(temporary.path, "oc-partnerd.db"), { readonly: true });
    expect(raw.database.prepare("select count(*) from event_log").pluck().get()).toBe(0);
  });
});
