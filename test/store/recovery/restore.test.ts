/** Replacing a database with a backup: only a sound one, never under a running daemon, and without deleting anything. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PartnerdError } from "../../../src/base/errors.ts";
import { checkDatabase } from "../../../src/store/check/check.ts";
import { readHeadFile } from "../../../src/store/head/head-file.ts";
import { cursorRowOf } from "../../../src/store/model/cursor.ts";
import { sentenceOf } from "../../../src/store/model/finding.ts";
import { backUp } from "../../../src/store/recovery/backup.ts";
import { restoreBackup } from "../../../src/store/recovery/restore.ts";
import { lockDirectory } from "../../../src/store/sql/lock.ts";
import { openStore } from "../../../src/store/store.ts";
import { errorWith } from "../../support/matchers.ts";
import { append, desired } from "../support/events.ts";
import { appendLongLog } from "../support/long-log.ts";
import { rawConnection, TemporaryStore, temporaryDirectory } from "../support/temporary-store.ts";

const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
const STAMP = "20260102T030405Z";

let temporary: TemporaryStore;
let elsewhere: ReturnType<typeof temporaryDirectory>;
let backup: string;
let backupSeq: number;
beforeEach(async () => {
  temporary = new TemporaryStore();
  elsewhere = temporaryDirectory();
  backup = join(elsewhere.path, "backup.db");
  appendLongLog(temporary.store, temporary.clock, 10);
  ({ seq: backupSeq } = (await backUp({ from: temporary.directory, to: backup, force: false, nowMs: 0 })).head);
});
afterEach(() => {
  temporary[Symbol.dispose]();
  elsewhere[Symbol.dispose]();
});

const restore = (directory = temporary.directory) => restoreBackup({ directory, from: backup, nowMs: NOW_MS });
const names = () => readdirSync(temporary.directory).filter((name) => !name.endsWith(".lock"));

describe("restore --from", () => {
  it("replaces a damaged database with the backup, and keeps the damaged files", async () => {
    temporary.store.emptyWal();
    for (const name of ["a", "b", "c"]) append(temporary.store, desired({ name }));
    // As a killed daemon leaves it, with commits that are only in the write-ahead log.
    const [database, wal, head] = [temporary.path, `${temporary.path}-wal`, join(temporary.directory, "oc-partnerd.head")].map(
      (path) => readFileSync(path),
    );
    temporary.store[Symbol.dispose]();
    database?.fill(0xff, 4_096, 8_192);
    writeFileSync(temporary.path, database ?? "");
    writeFileSync(`${temporary.path}-wal`, wal ?? "");
    const restored = await restore();
    const setAside = `${temporary.path}.damaged-${STAMP}`;
    expect(restored).toEqual({
      events: backupSeq,
      head: restored.head,
      lastSeq: backupSeq,
      lastSeqBefore: backupSeq + 3,
      cursor: { ...restored.cursor, stream: "OC_RESOURCES" },
      setAside,
    });
    expect(restored.head.seq).toBe(backupSeq + 1);
    const [row] = temporary.read("select seq, type, reason, at_ms, details from event_log order by seq desc limit 1");
    const details = JSON.stringify({ backup, lastSeq: backupSeq, lastSeqBefore: backupSeq + 3 });
    expect(row).toEqual({ seq: backupSeq + 1, type: "LogRestored", reason: "backup", at_ms: NOW_MS, details });
    expect(temporary.read("select summary from peer_history where type = 'LogRestored'")).toEqual([
      {
        summary: `log restored up to event ${backupSeq} from the backup ${JSON.stringify(backup)}; it went up to event ${backupSeq + 3} before`,
      },
    ]);
    expect(readFileSync(setAside)).toEqual(database);
    expect(readFileSync(`${setAside}-wal`)).toEqual(wal);
    expect(readFileSync(`${setAside}.head`)).toEqual(head);
    expect(readHeadFile(join(temporary.directory, "oc-partnerd.head"))).toEqual({ kind: "head", head: restored.head });
    expect(checkDatabase({ path: temporary.directory }).findings).toEqual([]);
    expect(statSync(temporary.path).mode & 0o777).toBe(0o600);
    expect(names().filter((name) => name.includes("restoring"))).toEqual([]);
  });

  it.each([
    ["does not exist", () => rmSync(backup), "there is no database in"],
    ["is not a database", () => writeFileSync(backup, "no database ".repeat(100)), "file is not a database"],
    ["is empty", () => writeFileSync(backup, ""), "has no event log"],
    ["is of another program", () => new Database(backup).exec("create table other (a)").close(), "has no event log"],
  ])("refuses a backup that %s before it creates anything, and asks for another one", async (_, spoil, problem) => {
    rmSync(backup);
    writeFileSync(backup, "");
    spoil();
    const data = join(elsewhere.path, "data");
    const failure = await restore(data).catch((thrown: unknown) => thrown);
    expect(failure).toMatchObject({
      code: "database_failed",
      message: expect.stringContaining(problem) as string,
      nextStep: expect.stringMatching(/^(name a|restore another) backup with --from FILE/) as string,
    });
    expect((failure as PartnerdError).message).toContain(backup);
    expect(existsSync(data)).toBe(false);
  });

  it("leaves a log that can be continued", async () => {
    temporary.store[Symbol.dispose]();
    await restore();
    const store = temporary.reopen();
    expect(append(store, desired({ name: "after" }))).toMatchObject({ seq: backupSeq + 2 });
    expect(store.verifyProjections()).toEqual([]);
    expect(checkDatabase({ path: temporary.directory }).findings).toEqual([]);
  });

  it("reports what is lost, even if only the head file mentions it", async () => {
    append(temporary.store, desired());
    temporary.store[Symbol.dispose]();
    writeFileSync(temporary.path, "no database");
    expect(await restore()).toMatchObject({ lastSeqBefore: backupSeq + 1 });
  });

  it("creates the data directory if it is missing", async () => {
    const directory = join(elsewhere.path, "new", "data");
    expect(await restore(directory)).toMatchObject({ lastSeqBefore: null, setAside: null, events: backupSeq });
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(checkDatabase({ path: directory }).findings).toEqual([]);
  });

  it("also moves away a write-ahead log without its database, which would damage the new one", async () => {
    append(temporary.store, desired());
    const wal = readFileSync(`${temporary.path}-wal`);
    temporary.store[Symbol.dispose]();
    rmSync(temporary.path);
    writeFileSync(`${temporary.path}-wal`, wal);
    await restore();
    expect(readFileSync(`${temporary.path}.damaged-${STAMP}-wal`)).toEqual(wal);
    expect(checkDatabase({ path: temporary.directory })).toMatchObject({ findings: [], events: backupSeq + 1 });
  });

  it("gives the files that it keeps unique names", async () => {
    temporary.store[Symbol.dispose]();
    const setAside = [(await restore()).setAside, (await restore()).setAside].map((path) => basename(path ?? ""));
    expect(setAside).toEqual([`oc-partnerd.db.damaged-${STAMP}`, `oc-partnerd.db.damaged-${STAMP}-2`]);
    expect(setAside.every((name) => existsSync(join(temporary.directory, name)))).toBe(true);
  });

  it("is rejected while a daemon uses the directory", async () => {
    using _lock = lockDirectory(temporary.directory);
    await expect(restore()).rejects.toThrow(errorWith("data_dir_in_use", /in use by another oc-partnerd/));
    expect(names().some((name) => name.includes("damaged"))).toBe(false);
  });

  it("rejects a backup that is unsound or invalid, and the database itself; then nothing is changed", async () => {
    temporary.store[Symbol.dispose]();
    const before = names();
    const bytes = readFileSync(backup);
    bytes.fill(0xff, 8_192, 12_288);
    writeFileSync(backup, bytes);
    await expect(restore()).rejects.toThrow(errorWith("check_failed", /backup\.db is not sound: /));
    writeFileSync(backup, "no database");
    await expect(restore()).rejects.toThrow(errorWith("database_failed", /cannot read .*backup\.db/));
    await expect(restoreBackup({ directory: temporary.directory, from: temporary.directory, nowMs: NOW_MS })).rejects.toThrow(
      errorWith("usage", /is the database to be replaced/),
    );
    expect(names()).toEqual(before);
  });

  it("if interrupted between the files, leaves a directory that no daemon accepts", async () => {
    for (const name of ["a", "b"]) append(temporary.store, desired({ name }));
    temporary.store[Symbol.dispose]();
    // The database is in place, but the head file does not have the new head yet.
    rmSync(temporary.path);
    const open = () => openStore({ directory: temporary.directory, clock: temporary.clock })[Symbol.dispose]();
    copyFileSync(backup, temporary.path);
    expect(open).toThrow(errorWith("log_truncated", /names seq/));
    rmSync(temporary.path);
    expect(open).toThrow(errorWith("log_truncated", /the log ends at seq 0/));
    await restore();
    expect(open).not.toThrow();
  });

  it("accepts a backup made with SQLite's own tools", async () => {
    const copy = join(elsewhere.path, "sqlite.db");
    mkdirSync(join(elsewhere.path, "unused"));
    temporary.store[Symbol.dispose]();
    const { default: Database } = await import("better-sqlite3");
    const database = new Database(temporary.path);
    await database.backup(copy);
    database.close();
    expect(checkDatabase({ path: copy }).findings).toEqual([]);
    await restoreBackup({ directory: temporary.directory, from: copy, nowMs: NOW_MS });
    temporary.reopen();
    expect(checkDatabase({ path: temporary.directory }).findings).toEqual([]);
  });

  it("accepts a log whose cursor a faulty version moved back, as backup does, and moves it to where the rows prove it to be", async () => {
    const stored = temporary.store.cursor();
    if (stored === undefined) throw new Error("expected a cursor");
    // The newest message left no row.
    const proven = { ...stored, sequence: stored.sequence - 1 };
    temporary.store[Symbol.dispose]();
    const { sequence, checksum } = cursorRowOf({ ...proven, sequence: proven.sequence - 2 });
    temporary.write(`update ingest_cursor set sequence = ${sequence}, checksum = '${checksum}'`);
    const rows = temporary.read("select * from event_log");
    const { findings, cursorProven } = checkDatabase({ path: temporary.directory });
    expect(findings.map(sentenceOf)).toEqual([expect.stringContaining(`: sequence ${sequence} is behind ${proven.sequence}, `)]);
    expect(cursorProven?.sequence).toBe(proven.sequence);
    const report = await backUp({ from: temporary.directory, to: backup, force: true, nowMs: 0 });
    expect(report.events).toBe(rows.length);
    expect((await restore()).cursor?.sequence).toBe(proven.sequence);
    expect(checkDatabase({ path: temporary.directory }).findings).toEqual([]);
    expect(temporary.read("select * from event_log").slice(0, -1)).toEqual(rows);
    expect(temporary.reopen().cursor()?.sequence).toBe(proven.sequence);
  });

  it("rejects a backup whose cursor is behind and was forged", async () => {
    temporary.store[Symbol.dispose]();
    using raw = rawConnection(backup);
    raw.database.exec("update ingest_cursor set sequence = sequence - 3");
    await expect(restore()).rejects.toThrow(errorWith("check_failed", /checksum does not match/));
  });
});
