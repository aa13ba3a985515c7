/** The provable part of a damaged log: the longest run of linked rows from the first one, and the state that they result in. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/sim/time/random.ts";
import { checkDatabase } from "../../../src/store/check/check.ts";
import { readHeadFile } from "../../../src/store/head/head-file.ts";
import { salvage } from "../../../src/store/recovery/salvage.ts";
import { lockDirectory } from "../../../src/store/sql/lock.ts";
import { openStore } from "../../../src/store/store.ts";
import { repetitions, seedsFrom } from "../../support/campaign.ts";
import { flipByte } from "../../support/corruptions.ts";
import { behindTheGuards, makeFit } from "../../support/forger.ts";
import { errorWith } from "../../support/matchers.ts";
import { appendMany, archiveBefore } from "../support/archiving.ts";
import { append, desired } from "../support/events.ts";
import { appendLongLog } from "../support/long-log.ts";
import { rawConnection, TemporaryStore, temporaryDirectory } from "../support/temporary-store.ts";

const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

let sound: TemporaryStore;
let files: readonly (readonly [string, Buffer])[];
beforeAll(() => {
  sound = new TemporaryStore();
  appendLongLog(sound.store, sound.clock, 30);
  sound.store[Symbol.dispose]();
  files = ["oc-partnerd.db", "oc-partnerd.head"].map((name) => [name, readFileSync(join(sound.directory, name))]);
});
afterAll(() => sound[Symbol.dispose]());

let directory: ReturnType<typeof temporaryDirectory>;
let path: string;
beforeEach(() => {
  directory = temporaryDirectory();
  path = join(directory.path, "oc-partnerd.db");
  for (const [name, bytes] of files) writeFileSync(join(directory.path, name), bytes);
});
afterEach(() => directory[Symbol.dispose]());

const run = () => salvage({ directory: directory.path, nowMs: NOW_MS });
const lastSeq = () => sound.read("select max(seq) as seq from event_log")[0]?.["seq"] as number;

function forge(change: (database: Database.Database) => void): void {
  using raw = rawConnection(path);
  behindTheGuards(raw.database, () => change(raw.database));
}

function rows(file: string, until: number): unknown[] {
  const database = new Database(file, { readonly: true });
  try {
    return database.prepare("select * from event_log where seq <= ? order by seq").all(until);
  } finally {
    database.close();
  }
}

/** Checks that the log is sound, has its rows unchanged, says that it was restored, and can be continued by a daemon. */
function expectKept(keptSeq: number): void {
  const seq = keptSeq + 1;
  expect(checkDatabase({ path: directory.path })).toMatchObject({ findings: [], events: seq, head: { seq } });
  const found = rows(path, seq) as readonly { readonly type: string; readonly reason: string; readonly details: string }[];
  expect(found.slice(0, -1)).toEqual(rows(sound.path, keptSeq));
  expect(found.at(-1)).toMatchObject({ type: "LogRestored", reason: "proven_rows" });
  expect(JSON.parse(found.at(-1)?.details ?? "")).toMatchObject({ backup: null, lastSeq: keptSeq });
  expect(readHeadFile(join(directory.path, "oc-partnerd.head"))).toMatchObject({ head: { seq } });
  using store = openStore({ directory: directory.path, clock: sound.clock });
  expect(store.verifyProjections()).toEqual([]);
  expect(append(store, desired({ name: "after" }))).toMatchObject({ seq: seq + 1 });
  expect(checkDatabase({ path: directory.path }).findings).toEqual([]);
}

describe("restore --from-jetstream", () => {
  it("keeps the rows before an edited one, and reports what is lost", () => {
    forge((database) => database.exec("update event_log set at_ms = 1 where seq = 100"));
    const salvaged = run();
    const counts = sound.read(`
      select count(*) filter (where subject is null) as observed, count(*) filter (where stream_sequence is not null and subject is not null) as fromStream
      from event_log where seq >= 100`)[0];
    expect(salvaged).toEqual({
      events: 99,
      head: salvaged.head,
      cursor: salvaged.cursor,
      lost: { firstSeq: 100, lastSeq: lastSeq(), ...counts, byCore: 0, unreadable: 0 },
      setAside: `${path}.damaged-20260102T030405Z`,
    });
    expectKept(99);
  });

  it("keeps all rows of a log whose other tables and indexes are damaged", () => {
    forge((database) => database.exec("delete from desired_peer; delete from open_stream; delete from ingest_cursor"));
    expect(run()).toMatchObject({ events: lastSeq(), lost: null });
    expectKept(lastSeq());
  });

  it("keeps the failure counts of the rows that it keeps", () => {
    const counted = sound.read("select first_seq, count, last_at_ms from repeated_failures order by 1");
    forge((database) => database.exec("update event_log set at_ms = 1 where seq = 100"));
    run();
    const database = new Database(path, { readonly: true });
    const kept = database.prepare("select first_seq, count, last_at_ms from repeated_failures order by 1").all();
    database.close();
    expect(kept).toEqual(counted.filter(({ first_seq }) => Number(first_seq) < 100));
    expect(kept.length).toBeGreaterThan(0);
  });

  it("puts the cursor at the end of the kept rows, based on the rows alone", () => {
    // The stored cursor may have any value, or be missing.
    forge((database) => database.exec("update event_log set at_ms = 1 where seq = 100; delete from ingest_cursor"));
    const { cursor } = run();
    const [newest] = sound.read(
      "select stream_sequence, dedupe_key from event_log where seq < 100 and dedupe_key is not null order by seq desc limit 1",
    );
    expect(cursor).toEqual({
      stream: "OC_RESOURCES",
      created: "2026-01-01T10:00:00.123456789Z",
      firstSequence: 11,
      sequence: newest?.["stream_sequence"],
      messageHash: String(newest?.["dedupe_key"]).split("/")[2],
    });
    using store = openStore({ directory: directory.path, clock: sound.clock });
    expect(store.cursor()).toEqual(cursor);
  });

  it("puts the cursor after a gap in the kept rows", () => {
    const [gap] = sound.read("select seq, last_stream_sequence from event_log where type = 'DeliveryGap' order by seq limit 1");
    const next = Number(gap?.["seq"]) + 1;
    forge((database) => database.exec(`update event_log set at_ms = 1 where seq = ${next}`));
    expect(run().cursor).toMatchObject({ sequence: gap?.["last_stream_sequence"], messageHash: null });
    expectKept(next - 1);
  });

  it("keeps the readable rows before an unreadable page", () => {
    const [{ page } = {}] = sound.read(
      "select pageno as page from dbstat where name = 'event_log' and pagetype = 'leaf' order by path limit 1 offset 5",
    );
    const bytes = readFileSync(path);
    bytes.fill(0xff, (Number(page) - 1) * 4_096, Number(page) * 4_096);
    writeFileSync(path, bytes);
    const { events, lost } = run();
    expect(events).toBeGreaterThan(10);
    expect(lost).toMatchObject({ firstSeq: events + 1, lastSeq: lastSeq() });
    expect(lost?.unreadable).toBeGreaterThan(0);
    expectKept(events);
  });

  it.each([
    ["is not a database", (bytes: Buffer) => Buffer.from(bytes.toString("latin1").replace("SQLite", "NoLite"), "latin1")],
    ["has lost its schema", (bytes: Buffer) => bytes.fill(0xff, 100, 4_096)],
    ["is empty", () => Buffer.alloc(0)],
  ])("starts an empty log if the file %s", (_, damage) => {
    writeFileSync(path, damage(readFileSync(path)));
    const seqs = { firstSeq: 1, lastSeq: lastSeq() };
    expect(run()).toMatchObject({ events: 0, cursor: null, lost: { ...seqs, unreadable: lastSeq() } });
    expectKept(0);
  });

  it("starts an empty log if there is no file", () => {
    rmSync(path);
    expect(run()).toMatchObject({ events: 0, lost: { lastSeq: lastSeq() } });
    expectKept(0);
  });

  it("is refused, and creates nothing, if there is neither file nor head", () => {
    for (const [name] of files) rmSync(join(directory.path, name));
    for (const place of [directory.path, join(directory.path, "none")])
      expect(() => salvage({ directory: place, nowMs: NOW_MS })).toThrow(
        errorWith("database_failed", new RegExp(`there is no log in ${place}: neither oc-partnerd.db nor oc-partnerd.head`)),
      );
    expect(readdirSync(directory.path)).toEqual([]);
  });

  it("counts lost messages of core NATS, which no stream redelivers", () => {
    using temporary = new TemporaryStore();
    for (let times = 0; times < 3; times++) append(temporary.store, desired());
    temporary.store[Symbol.dispose]();
    using raw = rawConnection(temporary.path);
    behindTheGuards(raw.database, () => raw.database.exec("update event_log set at_ms = 1 where seq = 2"));
    raw[Symbol.dispose]();
    const { lost } = salvage({ directory: temporary.directory, nowMs: NOW_MS });
    expect(lost).toEqual({ firstSeq: 2, lastSeq: 3, fromStream: 0, byCore: 2, observed: 0, unreadable: 0 });
    temporary.reopen();
  });

  it("keeps the remaining rows if the end is missing", () => {
    forge((database) => {
      database.exec("delete from event_log where seq > 150");
      makeFit(database, 1_000);
    });
    expect(run()).toMatchObject({ events: 150, lost: { firstSeq: 151, lastSeq: lastSeq(), unreadable: lastSeq() - 150 } });
    expectKept(150);
  });

  it("rejects linked rows that do not match the head file", () => {
    forge((database) => {
      database.exec("update event_log set at_ms = at_ms + 1 where seq = 40");
      makeFit(database, 40);
    });
    const before = readFileSync(path);
    expect(run).toThrow(errorWith("check_failed", /the rows follow from each other but were changed: oc-partnerd\.head names/));
    expect(readFileSync(path)).toEqual(before);
    rmSync(join(directory.path, "oc-partnerd.head"));
    expect(run()).toMatchObject({ events: lastSeq() });
  });

  it("is rejected while a daemon uses the directory, and for a newer database", () => {
    {
      using _lock = lockDirectory(directory.path);
      expect(run).toThrow(errorWith("data_dir_in_use", /in use/));
    }
    using raw = rawConnection(path);
    raw.database.exec("insert into __drizzle_migrations (hash, created_at) values ('of the future', 9999999999999)");
    expect(run).toThrow(errorWith("database_newer", /schema version/));
  });

  const SEEDS = seedsFrom(7_000, repetitions(3, 30));
  it(`leaves a sound log after flipping any byte (${SEEDS.length} seeds)`, () => {
    for (const seed of SEEDS) {
      for (const [name, bytes] of files) writeFileSync(join(directory.path, name), bytes);
      for (const suffix of ["-wal", "-shm"]) rmSync(`${path}${suffix}`, { force: true });
      const { what } = flipByte(directory.path, seededRandom(seed));
      const { events } = run();
      expect(rows(path, events), `seed ${seed}: ${what}`).toEqual(rows(sound.path, events));
      expect(checkDatabase({ path: directory.path }).findings, `seed ${seed}: ${what}`).toEqual([]);
    }
  });
});

describe("a partly archived log", () => {
  let archived: TemporaryStore;
  beforeEach(async () => {
    archived = new TemporaryStore();
    appendLongLog(archived.store, archived.clock, 30);
    await archiveBefore(archived.directory, 100);
    appendLongLog(archived.store, archived.clock, 4);
    archived.store[Symbol.dispose]();
  });
  afterEach(() => archived[Symbol.dispose]());

  const rescue = () => salvage({ directory: archived.directory, nowMs: NOW_MS });
  const count = (query: string) => archived.read(query)[0];

  it("keeps the anchor and the provable rows after it", () => {
    const tables = ["archive_anchor", "archived_peer", "archived_message", "archived_delivery"];
    const before = tables.map((table) => archived.read(`select * from ${table}`));
    const key = String(archived.read("select stream_sequence from archived_message order by 1 limit 1")[0]?.["stream_sequence"]);
    using raw = rawConnection(archived.path);
    behindTheGuards(raw.database, () =>
      raw.database.exec("update event_log set at_ms = 1 where seq = 190; delete from ingest_cursor"),
    );
    raw.database.close();
    const { events, head, cursor, lost } = rescue();
    expect([events, head.seq, lost?.firstSeq]).toEqual([90, 190, 190]);
    expect(tables.map((table) => archived.read(`select * from ${table}`))).toEqual(before);
    expect(count("select min(seq) as first, max(seq) as last from event_log")).toEqual({ first: 100, last: 190 });
    expect(cursor).toMatchObject({ stream: "OC_RESOURCES", firstSequence: 11 });
    expect(cursor?.sequence).toBe(
      count("select max(stream_sequence) as newest from event_log where dedupe_key is not null")?.["newest"],
    );
    expect(Number(key)).toBeGreaterThan(10);
    expect(checkDatabase({ path: archived.directory }).findings).toEqual([]);
    const store = archived.reopen();
    expect(store.verifyProjections()).toEqual([]);
    append(store, desired({ name: "after" }));
    expect(checkDatabase({ path: archived.directory }).findings).toEqual([]);
  });

  it("finds its position in the stream even if no row after the archive has it", () => {
    const archivedUntil = Number(count("select max(last_seq) as seq from archive_anchor")?.["seq"]);
    const logged = Number(count("select logged_seq from archive_anchor")?.["logged_seq"]);
    using raw = rawConnection(archived.path);
    behindTheGuards(raw.database, () =>
      raw.database.exec(`update event_log set at_ms = 1 where seq = ${logged + 1}; delete from ingest_cursor`),
    );
    raw.database.close();
    const { cursor } = rescue();
    expect(archivedUntil).toBe(99);
    expect(cursor).toMatchObject({ stream: "OC_RESOURCES", created: "2026-01-01T10:00:00.123456789Z", firstSequence: 11 });
    expect(cursor?.sequence).toBeGreaterThan(20);
  });

  it("is rejected if no kept row proves the archive", () => {
    using raw = rawConnection(archived.path);
    behindTheGuards(raw.database, () => raw.database.exec("update event_log set at_ms = 1 where seq = 110"));
    raw.database.close();
    expect(rescue).toThrow(
      errorWith("check_failed", /the archive up to seq 99 cannot be proved: row \d+, which records it, is missing or differs/),
    );
    expect(checkDatabase({ path: archived.directory }).findings).not.toEqual([]);
  });

  it("is rejected if the anchor is damaged", () => {
    using raw = rawConnection(archived.path);
    behindTheGuards(raw.database, () => raw.database.exec("update archive_anchor set state = x'00'"));
    raw.database.close();
    expect(rescue).toThrow(errorWith("check_failed", /the archive's anchor is damaged: the state of archive_anchor 99/));
  });
});

it("a stream of which the archives hold no message is read from its start", async () => {
  using temporary = new TemporaryStore();
  const stream = { stream: "S", created: "2026-01-01T00:00:00Z" };
  const followed = { type: "DeliveryChanged", reason: "at_least_once", streamSequence: 1, message: null } as const;
  const start = { ...stream, firstSequence: 1, sequence: 0, messageHash: null };
  temporary.store.appendDelivery([{ ...followed, stream: stream.stream, streamCreated: stream.created }], start);
  for (let times = 0; times < 2; times++) append(temporary.store, desired());
  await archiveBefore(temporary.directory, 3);
  temporary.store[Symbol.dispose]();
  expect(salvage({ directory: temporary.directory, nowMs: NOW_MS }).cursor).toEqual(start);
  temporary.reopen();
});

it("a log of several transactions is kept whole", () => {
  using temporary = new TemporaryStore();
  appendMany(temporary.store, 2_100);
  temporary.store[Symbol.dispose]();
  const { events, lost } = salvage({ directory: temporary.directory, nowMs: NOW_MS });
  expect([events, lost]).toEqual([2_100, null]);
  temporary.reopen();
  expect(temporary.read("select count(*) as rows from event_log")).toEqual([{ rows: 2_101 }]);
});
