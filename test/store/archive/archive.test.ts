/** Moving old events to a file: what is moved, what stays, and what is rejected. */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import type { PartnerdError } from "../../../src/base/errors.ts";
import { archive } from "../../../src/store/archive/archive.ts";
import { headFileIn, readHeadFile } from "../../../src/store/head/head-file.ts";
import { ARCHIVE_LOCK, lockDirectory } from "../../../src/store/sql/lock.ts";
import { matching } from "../../support/matchers.ts";
import { appendMany, archiveBefore, filesIn, findingsIn, writeUnguarded } from "../support/archiving.ts";
import { append, desired, received, rejected, removed } from "../support/events.ts";
import { appendLongLog } from "../support/long-log.ts";
import { toldStory } from "../support/story.ts";
import { TemporaryStore, temporaryDirectory } from "../support/temporary-store.ts";

async function failureOf(work: Promise<unknown>): Promise<PartnerdError> {
  return work.then(
    () => Promise.reject(new Error("it was not refused")),
    (thrown: PartnerdError) => thrown,
  );
}

const seqs = (temporary: TemporaryStore) => temporary.read("select seq from event_log order by seq").map(({ seq }) => seq);

describe("an archive", () => {
  it("takes the rows before a seq, and leaves the other rows, an anchor, and a row about it", async () => {
    using story = toldStory();
    const { store, clock, directory } = story;
    const before = { list: store.list(), statuses: store.statuses(), rows: story.read("select * from event_log where seq > 9") };
    const report = await archiveBefore(directory, 10, { wallMs: () => clock.wallMs() });
    expect(report).toMatchObject({ removed: 9, path: join(directory, "archive/oc-partnerd-events-1-9.jsonl.gz") });
    expect(report.anchor).toMatchObject({
      firstSeq: 1,
      lastSeq: 9,
      events: 9,
      loggedSeq: 17,
      directory: join(directory, "archive"),
    });
    expect(seqs(story)).toEqual([10, 11, 12, 13, 14, 15, 16, 17]);
    expect(story.read("select * from event_log where seq between 10 and 16")).toEqual(before.rows);
    const { file, fileBytes, fileSha256, lastChainHash, stateSha256 } = report.anchor;
    const [logged] = story.read("select type, peer_id, source, message, details from event_log where seq = 17");
    expect(logged).toMatchObject({ type: "LogArchived", peer_id: null, source: "oc-partnerd", message: null });
    expect(JSON.parse(String(logged?.["details"]))).toEqual({
      firstSeq: 1,
      lastSeq: 9,
      events: 9,
      firstAtMs: Date.parse("2026-01-01T12:00:00.000Z"),
      lastAtMs: Date.parse("2026-01-01T12:01:50.300Z"),
      lastChainHash,
      directory: join(directory, "archive"),
      file,
      fileBytes,
      fileSha256,
      stateSha256,
    });
    expect({ list: store.list(), statuses: store.statuses() }).toEqual({ list: before.list, statuses: before.statuses });
    expect(store.verifyProjections()).toEqual([]);
    expect(findingsIn(directory)).toEqual([]);
    expect(readHeadFile(headFileIn(directory))).toMatchObject({ kind: "head", head: { seq: 17 } });
    expect(append(store, desired()).seq).toBe(18);
    expect(store.verifyProjections()).toEqual([]);
  });

  it("is a private JSON Lines file with every column of every row, and the counts of repeated failures", async () => {
    using story = toldStory();
    const rows = story.read("select * from event_log where seq < 9");
    const { path, anchor } = await archiveBefore(story.directory, 9);
    expect((statSync(path).mode & 0o777).toString(8)).toBe("600");
    expect((statSync(join(story.directory, "archive")).mode & 0o777).toString(8)).toBe("700");
    const [header, ...lines] = gunzipSync(readFileSync(path))
      .toString()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(header).toEqual({
      format: "oc-partnerd-events",
      version: 1,
      first_seq: 1,
      last_seq: 8,
      follows_chain_hash: "0".repeat(64),
      last_chain_hash: anchor.lastChainHash,
      written_at: matching(/^\d{4}-.*Z$/),
    });
    expect(lines.pop()).toEqual({ rows: 8 });
    const counts = lines.map(({ repeated_failures }) => repeated_failures);
    expect(counts.filter((count) => count !== null)).toEqual([{ count: 3, last_at_ms: Date.parse("2026-01-01T12:00:49.000Z") }]);
    expect(lines.map(({ repeated_failures: _count, ...row }) => row)).toEqual(
      rows.map((row) => ({ ...row, payload: row["payload"] === null ? null : (row["payload"] as Buffer).toString("base64") })),
    );
  });

  it("follows the previous one, each with its place in the chain", async () => {
    using temporary = new TemporaryStore();
    appendLongLog(temporary.store, temporary.clock, 60);
    const head = temporary.store.head().seq;
    const [first, second] = [await archiveBefore(temporary.directory, 100), await archiveBefore(temporary.directory, 201)];
    expect([first.anchor, second.anchor]).toMatchObject([
      { firstSeq: 1, lastSeq: 99, loggedSeq: head + 1 },
      { firstSeq: 100, lastSeq: 200, loggedSeq: head + 2 },
    ]);
    expect(gunzipSync(readFileSync(second.path)).toString()).toContain(`"follows_chain_hash":"${first.anchor.lastChainHash}"`);
    expect(temporary.read("select min(seq) as first, max(seq) as last, count(*) as rows from event_log")).toEqual([
      { first: 201, last: head + 2, rows: head + 2 - 200 },
    ]);
    expect(temporary.store.verifyProjections()).toEqual([]);
    expect(findingsIn(temporary.directory)).toEqual([]);
    expect(temporary.reopen().head().seq).toBe(head + 2);
  });

  it("can be made by time, up to the first row at or after that time, even if the clock jumped", async () => {
    using temporary = new TemporaryStore();
    const { store, clock, directory } = temporary;
    const startMs = clock.wallMs();
    for (const byMs of [0, 1_000, 5_000, -4_000, 1_000]) {
      clock.stall(byMs);
      append(store, rejected());
    }
    const planned = (atMs: number) => archive({ data: directory, before: { atMs }, clock: systemClock, dryRun: true });
    expect(await planned(startMs)).toMatchObject({ kind: "nothing" });
    expect(await planned(startMs + 1_000)).toMatchObject({ kind: "planned", plan: { firstSeq: 1, lastSeq: 1 } });
    expect(await planned(startMs + 2_500)).toMatchObject({ kind: "planned", plan: { lastSeq: 2 } });
    expect(await planned(startMs + 60_000)).toMatchObject({ kind: "planned", plan: { lastSeq: 4, events: 4 } });
  });

  it("never contains the newest row", async () => {
    using temporary = new TemporaryStore();
    const { store, directory } = temporary;
    expect(await archive({ data: directory, before: { seq: 9 }, clock: systemClock })).toMatchObject({ kind: "nothing" });
    append(store, desired());
    expect(await archive({ data: directory, before: { seq: 9 }, clock: systemClock })).toMatchObject({ kind: "nothing" });
    append(store, removed());
    expect((await archiveBefore(directory, 9)).anchor).toMatchObject({ lastSeq: 1 });
    expect((await archiveBefore(directory, 9)).anchor).toMatchObject({ firstSeq: 2, lastSeq: 2 });
    expect(seqs(temporary)).toEqual([3, 4]);
    expect(temporary.reopen().verifyProjections()).toEqual([]);
  });

  it("frees space that new events use", async () => {
    using temporary = new TemporaryStore();
    appendMany(temporary.store, 3_000);
    const planned = await archive({ data: temporary.directory, before: { seq: 2_900 }, clock: systemClock, dryRun: true });
    expect(existsSync(join(temporary.directory, "archive"))).toBe(false);
    const { freedBytes, removed: rows } = await archiveBefore(temporary.directory, 2_900);
    expect(rows).toBe(2_899);
    if (planned.kind !== "planned") throw new Error("nothing was planned");
    expect(planned.bytes / freedBytes).toBeGreaterThan(0.5);
    expect(planned.bytes / freedBytes).toBeLessThan(2);
    temporary.reopen();
    const { size } = statSync(temporary.path);
    appendMany(temporary.store, 2_000);
    temporary.reopen();
    expect(statSync(temporary.path).size).toBe(size);
  });
});

describe("archiving is rejected", () => {
  it("if a row before its end was edited, and nothing is moved", async () => {
    using story = toldStory();
    writeUnguarded(story.path, ["event_log_no_update"], "update event_log set name = 'paris-1' where seq = 4");
    const failure = await failureOf(archiveBefore(story.directory, 10));
    expect(failure).toMatchObject({ code: "check_failed", nextStep: expect.stringContaining("oc-partnerd check") as string });
    expect(failure.message).toContain("nothing was moved: event_log row 4: chain_hash does not follow");
    expect(filesIn(join(story.directory, "archive"))).toEqual([]);
    expect(seqs(story)).toHaveLength(16);
    expect(story.read("select * from archives")).toEqual([]);
  });

  it("if a row before its end is missing, or misstates its effect", async () => {
    using story = toldStory();
    writeUnguarded(story.path, ["event_log_no_delete"], "delete from event_log where seq = 5");
    expect((await failureOf(archiveBefore(story.directory, 10))).message).toContain("event_log row 5: missing");
    using other = toldStory();
    writeUnguarded(other.path, ["event_log_no_update"], "update event_log set effect = 'unchanged' where seq = 1");
    expect((await failureOf(archiveBefore(other.directory, 10))).message).toContain("event_log row 1: ");
  });

  it("if a different file exists; the file of an interrupted run is overwritten", async () => {
    using story = toldStory();
    const directory = join(story.directory, "elsewhere");
    mkdirSync(directory);
    const path = join(directory, "oc-partnerd-events-1-9.jsonl.gz");
    writeFileSync(path, "mine");
    expect(await failureOf(archiveBefore(story.directory, 10, { to: directory }))).toMatchObject({
      code: "file_failed",
      message: `${path} already exists and is not an archive of these events`,
    });
    expect(readFileSync(path, "utf8")).toBe("mine");
    expect(seqs(story)).toHaveLength(16);
    const { path: written } = await archiveBefore(story.directory, 9, { to: directory });
    using again = toldStory();
    const other = join(again.directory, "archive");
    mkdirSync(other);
    writeFileSync(join(other, "oc-partnerd-events-1-8.jsonl.gz"), readFileSync(written));
    await archiveBefore(again.directory, 9);
    expect(findingsIn(again.directory)).toEqual([]);
  });

  it("if the directory cannot be created", async () => {
    using story = toldStory();
    writeFileSync(join(story.directory, "file"), "");
    const failure = await failureOf(archiveBefore(story.directory, 9, { to: join(story.directory, "file/archive") }));
    expect(failure).toMatchObject({ code: "file_failed", nextStep: "choose another directory with --to DIR" });
    expect(failure.message).toMatch(/^cannot write to the directory [^:]*\/file\/archive: .*\/file is not a directory$/);
    expect(seqs(story)).toHaveLength(16);
  });

  it("while another archiving run is active, and if there is no log", async () => {
    using story = toldStory();
    {
      using _held = lockDirectory(story.directory, ARCHIVE_LOCK);
      expect(await failureOf(archiveBefore(story.directory, 9))).toMatchObject({
        code: "data_dir_in_use",
        message: expect.stringContaining("another oc-partnerd archive") as string,
      });
    }
    using empty = temporaryDirectory();
    expect(await failureOf(archiveBefore(empty.path, 9))).toMatchObject({ code: "database_failed" });
    expect(filesIn(empty.path)).toEqual([]);
  });
});

describe("the anchor", () => {
  it.each([
    ["of rows that no row follows", "16", "(select chain_hash from event_log where seq = 16)"],
    ["with another chain hash", "9", "'ab'"],
    ["of no rows", "0", "''"],
  ])("%s is invalid", async (_, lastSeq, chainHash) => {
    using story = toldStory();
    const columns =
      "last_seq, first_seq, first_at_ms, last_at_ms, last_chain_hash, events, file, directory, file_bytes, file_sha256, archived_at_ms, logged_seq, state_sha256, packed_sha256, state";
    const insert = `insert into archive_anchor (${columns}) values (${lastSeq}, 1, 0, 0, ${chainHash}, 1, '', '', 0, '', 0, 17, '', '', x'')`;
    expect(() => story.write(insert)).toThrow("does not fit the log");
  });

  it("and everything that belongs to it are immutable for any SQLite client", async () => {
    using temporary = new TemporaryStore();
    appendLongLog(temporary.store, temporary.clock, 20);
    await archiveBefore(temporary.directory, 60);
    for (const table of [
      "archive_anchor",
      "archived_peer",
      "archived_resource",
      "archived_open_stream",
      "archived_delivery",
      "archived_stream",
      "archived_message",
      "archived_core_message",
    ]) {
      expect(temporary.read(`select count(*) > 0 as filled from ${table}`), table).toEqual([{ filled: 1 }]);
      expect(() => temporary.write(`delete from ${table}`), table).toThrow("never deleted");
      const column = temporary.read(`select name from pragma_table_info('${table}')`)[0]?.["name"];
      expect(() => temporary.write(`update ${table} set ${column} = ${column}`), table).toThrow("never updated");
    }
    expect(() => temporary.write("delete from event_log where seq = 60")).toThrow("never deleted before they are archived");
    expect(temporary.store.appendReceived([received(desired())])).toHaveLength(1);
  });
});
