/** Backups: consistent beside writers, sound, and written completely or not at all. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { checkDatabase } from "../../../src/store/check/check.ts";
import { backUp } from "../../../src/store/recovery/backup.ts";
import { errorWith } from "../../support/matchers.ts";
import { append, desired } from "../support/events.ts";
import { appendLongLog } from "../support/long-log.ts";
import { rawConnection, TemporaryStore } from "../support/temporary-store.ts";

let temporary: TemporaryStore;
let to: string;
beforeEach(() => {
  temporary = new TemporaryStore();
  appendLongLog(temporary.store, temporary.clock, 30);
  to = join(temporary.directory, "backup.db");
});
afterEach(() => temporary[Symbol.dispose]());

const backup = (change: Partial<Parameters<typeof backUp>[0]> = {}) =>
  backUp({ from: temporary.directory, to, force: false, nowMs: 0, ...change });
const partials = () =>
  readdirSync(temporary.directory)
    .filter((name) => name.includes(".partial-"))
    .toSorted();
const dump = (path: string) => {
  using raw = rawConnection(path, { readonly: true });
  const tables = raw.database
    .prepare<[], string>("select name from sqlite_schema where type = 'table' order by name")
    .pluck()
    .all();
  return tables.map((table) => [table, raw.database.prepare(`select * from ${table}`).all()]);
};

describe("a backup", () => {
  it("contains everything committed, is sound, and is a single private file", async () => {
    const report = await backup();
    expect(report).toEqual({
      file: to,
      bytes: statSync(to).size,
      events: temporary.store.head().seq,
      head: temporary.store.head(),
    });
    expect(statSync(to).mode & 0o777).toBe(0o600);
    expect(dump(to)).toEqual(dump(temporary.path));
    const before = readdirSync(temporary.directory);
    expect(checkDatabase({ path: to })).toMatchObject({ findings: [], head: report.head });
    // Neither copying nor reading leaves other files behind.
    expect(readdirSync(temporary.directory)).toEqual(before);
    expect(before.filter((name) => name.startsWith("backup.db") || name.startsWith("."))).toEqual(["backup.db"]);
  });

  it("is a snapshot of one moment, even if much is written in the meantime", async () => {
    // Enough pages for several steps.
    for (let round = 0; round < 6; round++) appendLongLog(temporary.store, temporary.clock, 40);
    const head = temporary.store.head();
    let written = 0;
    const report = await backup({
      onCopied: () => {
        written += 1;
        append(temporary.store, desired({ name: `during ${written}` }));
      },
    });
    expect(written).toBeGreaterThan(0);
    expect(report.head).toEqual(head);
    expect(checkDatabase({ path: to }).findings).toEqual([]);
    expect(temporary.store.head().seq).toBe(head.seq + written);
  });

  it("reports its progress", async () => {
    const [copied, checked]: [[number, number][], number[]] = [[], []];
    await backup({ onCopied: (...pages) => copied.push(pages), onChecked: (rows) => checked.push(rows) });
    expect(copied.every(([pages, total]) => pages <= total && total > 10)).toBe(true);
    expect(checked.at(-1)).toBe(temporary.store.head().seq);
  });

  it("overwrites nothing unless forced", async () => {
    writeFileSync(to, "mine");
    await expect(backup()).rejects.toThrow(errorWith("file_failed", /backup\.db already exists and will not be overwritten/));
    expect(readFileSync(to, "utf8")).toBe("mine");
    await backup({ force: true });
    expect(checkDatabase({ path: to }).findings).toEqual([]);
  });

  it("never replaces the database itself, by any name", async () => {
    const alias = join(temporary.directory, "alias");
    symlinkSync(temporary.path, alias);
    for (const path of [temporary.path, alias])
      await expect(backup({ to: path, force: true })).rejects.toThrow(errorWith("usage", /is the database itself/));
  });

  it.each([
    "oc-partnerd.db-wal",
    "oc-partnerd.head",
    "identity.key",
    "oc-partnerd.db.damaged-20260106T090000Z",
    "archive/oc-partnerd-events-1-9.jsonl.gz",
  ])("never replaces %s of the data directory", async (name) => {
    const path = join(temporary.directory, name);
    mkdirSync(join(temporary.directory, "archive"));
    if (!existsSync(path)) writeFileSync(path, "precious");
    const before = readFileSync(path);
    await expect(backup({ to: path, force: true })).rejects.toThrow(errorWith("usage", /is a file of the daemon/));
    expect(readFileSync(path)).toEqual(before);
  });

  it("reports if it cannot be written", async () => {
    await expect(backup({ to: join(temporary.directory, "none", "b.db") })).rejects.toThrow(
      errorWith("file_failed", /cannot create .*none/),
    );
  });

  it("refuses a directory, and all else that is not a regular file, before it copies, forced or not", async () => {
    const fifo = join(temporary.directory, "fifo");
    expect(spawnSync("mkfifo", [fifo]).status).toBe(0);
    mkdirSync(to);
    for (const force of [false, true]) {
      const copied = vi.fn();
      const failure = await backup({ force, onCopied: copied }).catch((thrown: unknown) => thrown);
      expect(failure).toMatchObject({
        code: "file_failed",
        message: `${to} is a directory`,
        nextStep: `choose a file in it, for example --to ${to}/oc-partnerd-backup.db`,
      });
      await expect(backup({ to: fifo, force })).rejects.toThrow(errorWith("file_failed", /fifo is not a regular file/));
      expect(copied).not.toHaveBeenCalled();
    }
  });

  it("is not made of an unsound database, and leaves the previous backup unchanged", async () => {
    await backup();
    const before = readFileSync(to);
    temporary.write("drop trigger event_log_no_update; update event_log set at_ms = 1 where seq = 17");
    await expect(backup({ force: true })).rejects.toThrow(
      errorWith("check_failed", /oc-partnerd\.db is not sound: .*event_log row 17: chain_hash does not follow/),
    );
    expect(readFileSync(to)).toEqual(before);
    expect(readdirSync(temporary.directory).filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("that is stopped while it copies leaves nothing behind, and an existing backup as it is", async () => {
    writeFileSync(to, "the last backup");
    const stopping = new AbortController();
    const onCopied = () => stopping.abort(new Error("stopped"));
    const stoppable = <Result>(copying: (signal: AbortSignal) => Promise<Result>) => copying(stopping.signal);
    for (let round = 0; round < 6; round++) appendLongLog(temporary.store, temporary.clock, 40);
    let stillThere: readonly string[] = [];
    await expect(
      backup({
        force: true,
        onCopied,
        // The process ends right after it.
        stoppable: (copying) => stoppable(copying).finally(() => (stillThere = partials())),
      }),
    ).rejects.toThrow("stopped");
    expect([stillThere, partials(), readFileSync(to, "utf8")]).toEqual([[], [], "the last backup"]);
  });

  it("removes what a killed backup left, but not what another one is writing", async () => {
    const { pid: dead } = spawnSync("true");
    const nowMs = 1_800_000_000_000;
    const leave = (name: string, ageMs: number) => {
      const path = join(temporary.directory, name);
      for (const suffix of ["", "-journal"]) writeFileSync(`${path}${suffix}`, "x");
      utimesSync(path, (nowMs - ageMs) / 1_000, (nowMs - ageMs) / 1_000);
    };
    leave(`.backup.db.partial-${dead}`, 3_700_000);
    leave(`.other.db.partial-${dead}`, 3_700_000);
    leave(`.backup.db.partial-${process.ppid}`, 3_700_000);
    await backup({ nowMs });
    expect(partials().filter((name) => !name.endsWith("-journal"))).toEqual(
      [`.backup.db.partial-${process.ppid}`, `.other.db.partial-${dead}`].toSorted(),
    );
    leave(`.backup.db.partial-${dead}`, 60_000);
    await backup({ nowMs, force: true });
    expect(partials()).toContain(`.backup.db.partial-${dead}`);
  });
});
