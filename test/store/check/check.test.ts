/** Results of check for databases that are sound, damaged or unsuitable. corruption.test.ts damages them at random. */
import { copyFileSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { version } from "../../../src/base/version.ts";
import { decodeMessage } from "../../../src/events/decode.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY } from "../../../src/events/vocabulary.ts";
import { checkDatabase } from "../../../src/store/check/check.ts";
import { integrityFinding } from "../../../src/store/check/file/integrity-messages.ts";
import { dedupeKeyOf } from "../../../src/store/model/dedupe-key.ts";
import { sentenceOf } from "../../../src/store/model/finding.ts";
import { behindTheGuards, makeFit } from "../../support/forger.ts";
import { errorWith } from "../../support/matchers.ts";
import { CREATE, envelope, REMOVE } from "../../support/messages.ts";
import { PEER_A } from "../../support/peers.ts";
import { appendMany, archiveBefore } from "../support/archiving.ts";
import { append, desired, observe, opened, openFailed, start } from "../support/events.ts";
import { appendLongLog } from "../support/long-log.ts";
import { rawConnection, TemporaryStore, temporaryDirectory } from "../support/temporary-store.ts";

let temporary: TemporaryStore;
beforeEach(() => {
  temporary = new TemporaryStore();
});
afterEach(() => temporary[Symbol.dispose]());

const found = (path = temporary.directory) => checkDatabase({ path }).findings.map(sentenceOf);

function forge(statement: string): void {
  using raw = rawConnection(temporary.path);
  behindTheGuards(raw.database, () => raw.database.exec(statement));
}

it("names the schema as the owner of a damaged first page", () => {
  temporary.store[Symbol.dispose]();
  const bytes = readFileSync(temporary.path);
  // The number of fragmented free bytes, in the header of the page behind that of the file.
  bytes[107] = 50;
  writeFileSync(temporary.path, bytes);
  expect(found()).toContain("page 1: free space corruption (sqlite_schema)");
});

it("continues after unreadable rows that an interrupted archive left", async () => {
  appendMany(temporary.store, 1_300);
  const stopped = archiveBefore(temporary.directory, 1_250, {
    onProgress(step) {
      if (step === "removing") throw new Error("stopped");
    },
  });
  await expect(stopped).rejects.toThrow("stopped");
  const leaf = "select pageno from dbstat where name = 'event_log' and pagetype = 'leaf' order by path limit 1 offset 5";
  const page = Number(temporary.read(leaf)[0]?.["pageno"]);
  temporary.store[Symbol.dispose]();
  const bytes = readFileSync(temporary.path);
  writeFileSync(temporary.path, bytes.fill(0xff, (page - 1) * 4_096, page * 4_096));
  const ofRows = found().filter((finding) => finding.startsWith("event_log"));
  expect(ofRows).toEqual([expect.stringMatching(/^event_log rows \d+ to \d+: .*malformed/)]);
});

describe("a sound database", () => {
  it("has no findings while it is empty, and reports its contents", () => {
    expect(checkDatabase({ path: temporary.directory })).toEqual({
      file: temporary.path,
      events: 0,
      head: { seq: 0, chainHash: "0".repeat(64), atMs: null },
      findings: [],
      witnesses: [],
      cursorProven: null,
    });
  });

  it("is checked beside its daemon, between two commits, and not changed", () => {
    const file = () => readFileSync(temporary.path);
    for (let round = 1; round < 5; round++) {
      appendLongLog(temporary.store, temporary.clock, round);
      const before = file();
      const { findings, head, events } = checkDatabase({ path: temporary.directory });
      expect(findings).toEqual([]);
      expect(head).toEqual(temporary.store.head());
      expect(events).toBe(head.seq);
      expect(file()).toEqual(before);
    }
    expect(temporary.store.emptyWal()).toBe(true);
  });

  it("may hold messages that were rejected because of the rows before them", () => {
    const settings = { ...DEFAULT_VOCABULARY, ...DEFAULT_LIMITS };
    const { store } = temporary;
    start(store, { version, config: { events: settings } });
    const stream = { stream: "S", created: "2026-01-01T00:00:00Z" };
    const followed = { type: "DeliveryChanged", reason: "at_least_once", streamSequence: 1, message: null } as const;
    store.appendDelivery([{ ...followed, stream: stream.stream, streamCreated: stream.created }], {
      ...stream,
      firstSequence: 1,
      sequence: 0,
      messageHash: null,
    });
    const receive = (sequence: number, subject: string, record: object) => {
      const bytes = Buffer.from(JSON.stringify(envelope(record)));
      const decoded = decodeMessage({ subject, bytes }, settings, settings);
      if (decoded.kind === "ignored") throw new Error("the message is ignored");
      const dedupeKey = dedupeKeyOf(stream, sequence, `hash-${sequence}`);
      const position = { ...stream, sequence, messageHash: `hash-${sequence}` };
      store.appendReceived([{ decoded, subject, payload: bytes, dedupeKey, streamSequence: sequence }], position);
    };
    const partner = { id: "1", peer_id: PEER_A, relation: "PARTNER", stream_address: `/ip4/192.0.2.1/tcp/1/p2p/${PEER_A}` };
    receive(5, CREATE, partner);
    receive(3, CREATE, { ...partner, relation: "NONE" });
    receive(6, REMOVE, { id: "unknown" });
    expect(temporary.read("select reason from event_log where type = 'EventRejected' order by seq")).toEqual([
      { reason: "outdated" },
      { reason: "peer_unknown" },
    ]);
    expect(found()).toEqual([]);
    forge("update event_log set reason = 'peer_unknown' where reason = 'outdated'");
    expect(found().join()).toContain("its payload says");
  });

  it("reports the progress of the check", () => {
    appendLongLog(temporary.store, temporary.clock, 30);
    const told: [number, number][] = [];
    checkDatabase({ path: temporary.path, onProgress: (...progress) => told.push(progress) });
    const { seq } = temporary.store.head();
    expect(told).toEqual(Array.from({ length: seq }, (_, index) => [index + 1, seq]));
  });
});

describe("check finds", () => {
  beforeEach(() => {
    append(temporary.store, desired());
    observe(temporary.store, opened(PEER_A));
    observe(temporary.store, openFailed(PEER_A));
    append(temporary.store, desired({ name: "lyon-2" }));
  });

  it.each([
    [
      "an edited row",
      "update event_log set message = 'x' where seq = 3",
      ["event_log row 3: chain_hash does not follow from its columns and row 2"],
    ],
    [
      "an edited first row",
      "update event_log set at_ms = 1 where seq = 1",
      ["event_log row 1: chain_hash does not follow from its columns"],
    ],
    [
      "an edited hash, at both rows that it links",
      "update event_log set chain_hash = '00' where seq = 2",
      ["event_log row 2: chain_hash does not follow", "event_log row 3: chain_hash does not follow"],
    ],
    [
      "deleted rows",
      "delete from event_log where seq in (2, 3)",
      ["event_log rows 2 to 3: missing", "event_log row 4: chain_hash does not follow from its columns and row 1"],
    ],
    [
      "a row appended by another program",
      "insert into event_log (seq, type, at_ms, reason, message, chain_hash) values (5, 'EventRejected', 0, 'not_json', 'by hand', '00')",
      ["event_log row 5: chain_hash does not follow from its columns and row 4"],
    ],
    [
      "a column of another type",
      "update event_log set at_ms = 'noon' where seq = 3",
      ["event_log row 3: at_ms has type text, expected integer"],
    ],
    [
      "a row that is not an event",
      "update event_log set protocol = null where seq = 2",
      ["event_log row 2: is a StreamOpened without protocol"],
    ],
    ["a changed payload", "update event_log set payload = x'00' where seq = 1", ["event_log row 1: payload_bytes is"]],
    [
      "a changed projection of a peer",
      `update desired_peer set name = 'x' where peer_id = '${PEER_A}'`,
      [`desired_peer ${PEER_A}: name is "x", the replay gives "lyon-2"`],
    ],
    ["a missing peer", "delete from desired_peer", [`desired_peer ${PEER_A}: the row is missing`]],
    [
      "a status",
      "update peer_status_row set outbound_sessions = 9",
      [`peer_status_row ${PEER_A}: outbound_sessions is 9, the replay gives 1`],
    ],
    ["a stream", "delete from open_stream", ["open_stream row 2: the row is missing"]],
    [
      "a cursor that no row supports",
      "insert into ingest_cursor values (1, 'S', 'T', 5, 2, null, 'x')",
      ["ingest_cursor row 1: checksum does not match its columns", "ingest_cursor row 1: sequence 2 is before first_sequence 5"],
    ],
    [
      "a count for a row that is not a failure",
      "insert into repeated_failures values (2, 1, 0, 'x')",
      ["repeated_failures row 2: event_log row 2 is a StreamOpened, not a failure"],
    ],
    [
      "a count of nothing",
      "insert into repeated_failures values (99, 1, 0, 'x')",
      ["repeated_failures row 99: there is no event_log row 99"],
    ],
  ])("%s", (_, statement, wanted) => {
    forge(statement);
    const sentences = found();
    for (const sentence of wanted) expect(sentences).toContainEqual(expect.stringContaining(sentence));
    expect(sentences.filter((sentence) => /trigger/.test(sentence))).toEqual([]);
  });

  it("a missing guard", () => {
    temporary.write("drop trigger event_log_no_update");
    expect(found()).toEqual(["trigger event_log_no_update: missing"]);
  });

  it("a disabled guard, and objects that others have added", () => {
    temporary.write(
      "drop trigger event_log_no_delete; create trigger event_log_no_delete before delete on event_log begin select 1; end; create table notes (x)",
    );
    expect(found()).toEqual(
      expect.arrayContaining([
        "trigger event_log_no_delete: differs from what the migrations create",
        "table notes: was not created by oc-partnerd",
      ]),
    );
  });

  it("an unknown migration", () => {
    temporary.write("update __drizzle_migrations set created_at = 1 where rowid = 2");
    expect(found()).toEqual(["__drizzle_migrations row 2: differs from this oc-partnerd's migration"]);
    temporary.write("delete from __drizzle_migrations where rowid > 2");
    expect(found()).toContain("__drizzle_migrations row 3: differs from this oc-partnerd's migration");
  });

  it("rows missing at the end, by the head file", () => {
    forge("delete from event_log where seq > 2");
    using raw = rawConnection(temporary.path);
    behindTheGuards(raw.database, () => makeFit(raw.database, 1));
    expect(found()).toEqual(["event_log rows 3 to 4: gone: oc-partnerd.head names seq 4, the log ends at seq 2"]);
  });

  it("a damaged head file", () => {
    writeFileSync(join(temporary.directory, "oc-partnerd.head"), "x");
    expect(found()).toEqual([expect.stringMatching(/^oc-partnerd\.head: is damaged: /)]);
  });

  it("only a limited number of findings of a kind", () => {
    appendLongLog(temporary.store, temporary.clock, 60);
    forge("update event_log set chain_hash = '00'");
    const sentences = found();
    expect(sentences.length).toBeLessThan(250);
    expect(sentences).toContainEqual(expect.stringMatching(/^chain: \d+ more findings omitted$/));
  });

  it("unreadable rows, and continues after them", () => {
    appendLongLog(temporary.store, temporary.clock, 60);
    temporary.store[Symbol.dispose]();
    const [{ page } = {}] = temporary.read(
      "select pageno as page from dbstat where name = 'event_log' and pagetype = 'leaf' order by path limit 1 offset 5",
    );
    const bytes = readFileSync(temporary.path);
    bytes.fill(0xff, (Number(page) - 1) * 4_096, Number(page) * 4_096);
    writeFileSync(temporary.path, bytes);
    const sentences = found();
    expect(sentences).toContainEqual(expect.stringMatching(/^table event_log: cannot be read to its end: /));
    expect(sentences).toContainEqual(
      expect.stringMatching(/^event_log rows? \d+( to \d+)?: cannot be read: database disk image is malformed$/),
    );
    expect(sentences).toContain("projections: cannot be compared with a replay, since rows of the log cannot be read");
    expect(checkDatabase({ path: temporary.path }).head.seq).toBeGreaterThan(300);
  });
});

describe("a damaged list of free pages", () => {
  it("is a finding, because SQLite could not write another page", () => {
    temporary.store[Symbol.dispose]();
    const bytes = readFileSync(temporary.path);
    bytes[39] = 4;
    writeFileSync(temporary.path, bytes);
    expect(found()).toEqual(["pages: Freelist: size is 0 but should be 4"]);
  });
});

describe("a file that SQLite cannot read", () => {
  it.each([
    ["no database", (bytes: Buffer) => void bytes.write("a note, and no database", 0)],
    ["a database whose schema is damaged", (bytes: Buffer) => void bytes.fill(0xff, 100, 4_096)],
  ])("is a finding: %s", (_, damage) => {
    temporary.store[Symbol.dispose]();
    const bytes = readFileSync(temporary.path);
    damage(bytes);
    writeFileSync(temporary.path, bytes);
    expect(found()).toContainEqual(expect.stringMatching(/^oc-partnerd\.db: cannot be read: /));
  });

  it("is a finding if it is truncated in its first page", () => {
    temporary.store[Symbol.dispose]();
    truncateSync(temporary.path, 60);
    expect(found()).toEqual(["oc-partnerd.db: cannot be read: database disk image is malformed"]);
  });
});

describe("an empty file", () => {
  it("is a finding if the head file mentions rows", () => {
    append(temporary.store, desired());
    temporary.store[Symbol.dispose]();
    writeFileSync(temporary.path, "");
    expect(found()).toEqual(["event_log row 1: gone: oc-partnerd.head names seq 1, the log ends at seq 0"]);
  });
});

describe("a database that cannot be checked", () => {
  const check =
    (path = temporary.directory) =>
    () =>
      checkDatabase({ path });

  it("is rejected if it does not exist", () => {
    using directory = temporaryDirectory();
    expect(check(directory.path)).toThrow(errorWith("database_failed", /there is no database in/));
  });

  it("is rejected if no daemon has written to it, and if it belongs to another program", () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "oc-partnerd.db");
    writeFileSync(path, "");
    expect(check(path)).toThrow(errorWith("database_failed", /is empty/));
    using raw = rawConnection(path);
    raw.database.exec("create table t (x); pragma application_id = 5");
    expect(check(path)).toThrow(errorWith("database_failed", /another program/));
  });

  it("is rejected if its schema is newer", () => {
    temporary.write("insert into __drizzle_migrations (hash, created_at) values ('of the future', 9999999999999)");
    expect(check()).toThrow(errorWith("database_newer", /schema version/));
  });

  it("is refused where it has an older schema", () => {
    temporary.write("drop view delivery_gaps; delete from __drizzle_migrations where rowid > 2");
    expect(check()).toThrow(errorWith("database_failed", /has schema version 2, this oc-partnerd reads schema version/));
  });
});

describe("a copy", () => {
  it("is checked alone, because the head file belongs to the daemon", () => {
    append(temporary.store, desired());
    temporary.store[Symbol.dispose]();
    using directory = temporaryDirectory();
    const copy = join(directory.path, "copy.db");
    copyFileSync(temporary.path, copy);
    writeFileSync(join(directory.path, "oc-partnerd.head"), "x");
    expect(found(copy)).toEqual([]);
    mkdirSync(join(directory.path, "data"));
    rmSync(copy);
  });
});

describe("a line of SQLite's own check", () => {
  const nameOf = (page: number) => (page === 7 ? "event_log" : undefined);

  it.each([
    [
      "Tree 7 page 12: btreeInitPage() returns error code 11",
      { place: "page 12", problem: "btreeInitPage() returns error code 11 (event_log)" },
    ],
    ["Tree 9 page 12 cell 3: Rowid 5 out of order", { place: "page 12", problem: "cell 3: Rowid 5 out of order" }],
    ["row 17 missing from index event_log_type", { place: "index event_log_type", problem: "row 17 is missing from it" }],
    [
      "wrong # of entries in index event_log_type",
      { place: "index event_log_type", problem: "wrong # of entries in index event_log_type" },
    ],
    ["Page 9: never used", { place: "page 9", problem: "Page 9: never used" }],
    ["NULL value in event_log.type", { place: "pages", problem: "NULL value in event_log.type" }],
  ])("%s", (line, finding) => {
    expect(integrityFinding(line, nameOf)).toEqual(finding);
  });
});

describe("a database without the table that has the start of its log", () => {
  it("is reported, and the readable rest is not taken for the log", () => {
    append(temporary.store, desired());
    temporary.store[Symbol.dispose]();
    temporary.write("pragma legacy_alter_table = on; drop table archive_anchor");
    const problems = found();
    expect(problems.some((problem) => problem.startsWith("table archive_anchor: "))).toBe(true);
    expect(problems.some((problem) => problem.startsWith("schema: the log cannot be read with it: no such table"))).toBe(true);
  });
});
