/** Rebuilding a database from archive files. */
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runExport } from "../../../src/cli/fixture/export.ts";
import { type UnarchiveOptions, unarchive } from "../../../src/store/archive/unarchive.ts";
import { openStore } from "../../../src/store/store.ts";
import { errorWith } from "../../support/matchers.ts";
import { PEER_A } from "../../support/peers.ts";
import { archiveBefore, filesIn, findingsIn, Twin } from "../support/archiving.ts";
import { closed, observe, opened, openFailed, received, rejected } from "../support/events.ts";
import { appendLongLog } from "../support/long-log.ts";
import { rawConnection, TemporaryStore, temporaryDirectory } from "../support/temporary-store.ts";

let temporary: TemporaryStore;
let out: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  temporary = new TemporaryStore();
  out = temporaryDirectory();
});
afterEach(() => {
  temporary[Symbol.dispose]();
  out[Symbol.dispose]();
});

function rowsOf(path: string, query: string): unknown[] {
  using raw = rawConnection(path, { readonly: true });
  return raw.database.prepare(query).all();
}

const LOG = "select * from event_log order by seq";
const COUNTS = "select first_seq, count, last_at_ms from repeated_failures order by first_seq";
const PROJECTIONS = ["desired_peer", "peer_status_row", "open_stream"].map((table) => `select * from ${table} order by 1`);
const VIEWS = ["peer_history", "session_periods", "relation_changes", "rejected_events", "delivery_gaps"].map(
  (view) => `select * from ${view}`,
);

async function made(
  options: Omit<UnarchiveOptions, "to">,
): Promise<{ path: string; report: Awaited<ReturnType<typeof unarchive>> }> {
  const path = join(out.path, "made.db");
  const report = await unarchive({ ...options, to: path });
  expect(filesIn(out.path)).toEqual(["made.db"]);
  expect(findingsIn(path)).toEqual([]);
  return { path, report };
}

describe("the rebuilt database", () => {
  it("with the log matches the original row for row, including projections, and a daemon can continue with it", async () => {
    appendLongLog(temporary.store, temporary.clock, 30);
    temporary.store[Symbol.dispose]();
    using whole = new Twin(temporary);
    temporary.reopen();
    await archiveBefore(temporary.directory, 80);
    observe(temporary.store, openFailed(PEER_A));
    await archiveBefore(temporary.directory, 150);
    const head = temporary.store.head();
    const { path, report } = await made({ files: [], data: temporary.directory });
    expect(report).toEqual({ file: path, events: head.seq, head });
    const last = whole.store.head().seq;
    expect(rowsOf(path, `select * from event_log where seq <= ${last} order by seq`)).toEqual(whole.read(LOG));
    expect(rowsOf(path, `select * from event_log where seq > ${last}`)).toEqual(
      temporary.read(`select * from event_log where seq > ${last}`),
    );
    for (const query of [...PROJECTIONS, "select * from ingest_cursor"])
      expect(rowsOf(path, query)).toEqual(temporary.read(query));
    expect(rowsOf(path, "select * from archives")).toEqual([]);

    mkdirSync(join(out.path, "data"));
    renameSync(path, join(out.path, "data", "oc-partnerd.db"));
    using store = openStore({ directory: join(out.path, "data"), clock: temporary.clock });
    expect(store.verifyProjections()).toEqual([]);
    expect(store.list()).toEqual(temporary.store.list());
    expect(observe(store, closed(PEER_A))).toMatchObject({ seq: head.seq + 1 });
  });

  it("with the log has the rows that a daemon appends in the meantime", async () => {
    appendLongLog(temporary.store, temporary.clock, 10);
    const { loggedSeq: head } = (await archiveBefore(temporary.directory, 30)).anchor;
    let appended = false;
    const onProgress = (row: number) => {
      if (row !== head || appended) return;
      appended = true;
      temporary.store.appendReceived([received(rejected())]);
    };
    const { path, report } = await made({ files: [], data: temporary.directory, onProgress });
    expect([report.events, report.head]).toEqual([head + 1, temporary.store.head()]);
    expect(rowsOf(path, LOG).slice(-1)).toEqual(temporary.read(LOG).slice(-1));
  });

  it("without the log ends with the archives, in every view", async () => {
    appendLongLog(temporary.store, temporary.clock, 25);
    temporary.store[Symbol.dispose]();
    using before = new Twin(temporary);
    temporary.reopen();
    const files = [(await archiveBefore(temporary.directory, 60)).path, (await archiveBefore(temporary.directory, 140)).path];
    const { path, report } = await made({ files: files.toReversed() });
    expect(report).toMatchObject({ events: 139, head: { seq: 139 } });
    expect(rowsOf(path, LOG)).toEqual(before.read("select * from event_log where seq < 140"));
    for (const view of VIEWS) expect(rowsOf(path, view).length, view).toBeGreaterThan(0);
    using reader = rawConnection(path, { readonly: true });
    expect(reader.database.pragma("journal_mode", { simple: true })).toBe("delete");
  });

  it("counts repeated failures up to the newest file, and with the log up to now", async () => {
    const { store, directory, clock } = temporary;
    const fail = () => {
      clock.stall(2_000);
      return observe(store, openFailed(PEER_A));
    };
    fail();
    fail();
    store.appendReceived([received(rejected()), received(rejected())]);
    const first = (await archiveBefore(directory, 2)).path;
    const countIn = (path: string) => rowsOf(path, COUNTS);
    expect(countIn((await made({ files: [first] })).path)).toMatchObject([{ first_seq: 1, count: 1 }]);
    rmSync(join(out.path, "made.db"));
    expect([fail(), fail()]).toEqual(["repeated", "repeated"]);
    store[Symbol.dispose]();
    const counted = temporary.read(COUNTS);
    expect(counted).toMatchObject([{ first_seq: 1, count: 3 }]);
    expect(countIn((await made({ files: [], data: directory })).path)).toEqual(counted);
    rmSync(join(out.path, "made.db"));
    // The run of failures is over: what it came to goes with the next file.
    observe(temporary.reopen(), opened(PEER_A));
    const second = (await archiveBefore(directory, 4)).path;
    expect(gunzipSync(readFileSync(second)).toString()).toContain('{"repeated_failures":{"first_seq":1,');
    expect(temporary.read(COUNTS)).toEqual([]);
    expect(countIn((await made({ files: [first, second] })).path)).toEqual(counted);
  });

  it("can be exported, unlike the log alone", async () => {
    appendLongLog(temporary.store, temporary.clock, 12);
    await archiveBefore(temporary.directory, 50);
    const terminal = { isTTY: false, write: () => true };
    const window = { peers: [], from: "10", to: "55", terminal };
    await expect(runExport({ ...window, data: temporary.directory })).rejects.toThrow(/seq 1 to 49 are in the archive/);
    expect((await runExport({ ...window, from: undefined, data: temporary.directory })).lines.length).toBeGreaterThan(0);
    const { path } = await made({ files: [], data: temporary.directory });
    expect((await runExport({ ...window, data: path })).lines.length).toBeGreaterThan(10);
  });
});

describe("rebuilding fails, and leaves nothing behind,", () => {
  beforeEach(async () => {
    appendLongLog(temporary.store, temporary.clock, 20);
    await archiveBefore(temporary.directory, 60);
    await archiveBefore(temporary.directory, 100);
  });
  const first = () => join(temporary.directory, "archive/oc-partnerd-events-1-59.jsonl.gz");
  const second = () => join(temporary.directory, "archive/oc-partnerd-events-60-99.jsonl.gz");
  const to = () => join(out.path, "made.db");
  const refused = async (options: Omit<UnarchiveOptions, "to">, code: Parameters<typeof errorWith>[0], message: RegExp) => {
    await expect(unarchive({ ...options, to: to() })).rejects.toEqual(errorWith(code, message));
    expect(filesIn(out.path)).toEqual([]);
  };

  it("if a file is missing", async () => {
    await refused({ files: [second()] }, "usage", /^the archive with seq 1 to 59 is missing$/);
    await refused({ files: [first(), first()] }, "usage", /begins with seq 1, which another file also holds$/);
    rmSync(first());
    await refused({ files: [], data: temporary.directory }, "file_failed", /^cannot find .*oc-partnerd-events-1-59/);
  });

  it("if a file belongs to another log, or was changed", async () => {
    using other = new TemporaryStore();
    appendLongLog(other.store, other.clock, 19);
    const { path } = await archiveBefore(other.directory, 60);
    await refused({ files: [path, second()] }, "archive_invalid", /it follows the chain hash/);
    await refused({ files: [path], data: temporary.directory }, "archive_invalid", /the log has/);
    const text = gunzipSync(readFileSync(first())).toString();
    writeFileSync(first(), gzipSync(text.replace('"name":"Zürich-3"', '"name":"Bern-3"')));
    await refused({ files: [first()] }, "archive_invalid", /chain_hash does not follow/);
    writeFileSync(first(), "no archive");
    await refused({ files: [first()] }, "archive_invalid", /cannot read/);
    writeFileSync(first(), gzipSync('{"format":"something else"}\n'));
    await refused({ files: [first()] }, "archive_invalid", /format/);
  });

  it("if the database already exists, or cannot be created", async () => {
    writeFileSync(to(), "mine");
    await expect(unarchive({ files: [first()], to: to() })).rejects.toEqual(errorWith("file_failed", /already exists/));
    expect(readFileSync(to(), "utf8")).toBe("mine");
    const nowhere = join(out.path, "not/there.db");
    await expect(unarchive({ files: [first()], to: nowhere })).rejects.toEqual(
      errorWith("file_failed", /cannot write to the directory of/),
    );
  });

  it("and moved files are read from the given paths", async () => {
    const moved = join(out.path, "moved");
    mkdirSync(moved);
    const files = [first(), second()].map((path, index) => {
      const name = join(moved, index === 0 ? "oc-partnerd-events-1-59.jsonl.gz" : "oc-partnerd-events-60-99.jsonl.gz");
      copyFileSync(path, name);
      rmSync(path);
      return name;
    });
    const { events } = await unarchive({ files, data: temporary.directory, to: to() });
    expect(events).toBe(temporary.store.head().seq);
    expect(findingsIn(to())).toEqual([]);
  });
});
