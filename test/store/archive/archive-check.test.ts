/** How check detects changes to an archived log: to a file, an anchor, or anything that belongs to it. */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/sim/time/random.ts";
import { checkArchives } from "../../../src/store/archive/archive-check.ts";
import { sentenceOf } from "../../../src/store/model/finding.ts";
import { repetitions, seedsFrom } from "../../support/campaign.ts";
import { flipByte } from "../../support/corruptions.ts";
import { behindTheGuards } from "../../support/forger.ts";
import { archiveBefore, findingsIn, Twin } from "../support/archiving.ts";
import { appendLongLog } from "../support/long-log.ts";
import { rawConnection, TemporaryStore } from "../support/temporary-store.ts";

let temporary: TemporaryStore;
beforeEach(async () => {
  temporary = new TemporaryStore();
  appendLongLog(temporary.store, temporary.clock, 30);
  await archiveBefore(temporary.directory, 61);
  appendLongLog(temporary.store, temporary.clock, 5);
  await archiveBefore(temporary.directory, 150);
});
afterEach(() => temporary[Symbol.dispose]());

const FIRST = "oc-partnerd-events-1-60.jsonl.gz";
const SECOND = "oc-partnerd-events-61-149.jsonl.gz";
const pathOf = (file: string) => join(temporary.directory, "archive", file);
const inFiles = async (archives?: string) =>
  (await checkArchives({ path: temporary.directory, archives })).flatMap(({ findings }) => findings.map(sentenceOf));

function forge(statements: string): void {
  using raw = rawConnection(temporary.path);
  behindTheGuards(raw.database, () => raw.database.exec(statements));
}

function rewrite(file: string, change: (text: string) => string): void {
  const text = gunzipSync(readFileSync(pathOf(file))).toString();
  const changed = change(text);
  expect(changed).not.toBe(text);
  writeFileSync(pathOf(file), gzipSync(changed));
}

describe("an archived log", () => {
  it("is sound, and so are its files", async () => {
    expect(findingsIn(temporary.directory)).toEqual([]);
    const checked = await checkArchives({ path: temporary.directory });
    expect(checked).toMatchObject([
      { path: pathOf(FIRST), findings: [], anchor: { lastSeq: 60 } },
      { path: pathOf(SECOND), findings: [], anchor: { lastSeq: 149 } },
    ]);
    temporary.store[Symbol.dispose]();
    expect(temporary.reopen().verifyProjections()).toEqual([]);
  });

  it("is equally sound if its files were moved or deleted", async () => {
    const elsewhere = join(temporary.directory, "elsewhere");
    renameSync(join(temporary.directory, "archive"), elsewhere);
    expect(findingsIn(temporary.directory)).toEqual([]);
    expect(await checkArchives({ path: temporary.directory })).toMatchObject([
      { path: undefined, findings: [] },
      { path: undefined, findings: [] },
    ]);
    rmSync(join(elsewhere, FIRST));
    expect(await checkArchives({ path: temporary.directory, archives: elsewhere })).toMatchObject([
      { path: undefined, findings: [] },
      { path: join(elsewhere, SECOND), findings: [] },
    ]);
  });
});

describe("a changed file is found", () => {
  it.each([
    [
      "an edited row",
      (text: string) => text.replace('"name":"Zürich-2"', '"name":"Zürich-3"'),
      /^oc-partnerd-events-1-60\.jsonl\.gz: event_log row \d+: chain_hash does not follow/,
    ],
    ["a missing row", (text: string) => text.replace(/\{"seq":30,.*\n/, ""), /: event_log row 30: missing$/],
    ["an inserted row", (text: string) => text.replace(/(\{"seq":30,.*\n)/, "$1$1"), /: event_log row 30: comes after row 30$/],
    [
      "a truncated end",
      (text: string) => text.replace(/\{"seq":60,.*\n.*\n$/, ""),
      /: line 60: the file ends before its trailer$/,
    ],
    [
      "a trailer with other counts",
      (text: string) => text.replace('{"rows":60}', '{"rows":59}'),
      /the trailer says 59 rows, the file has 60$/,
    ],
    ["a payload", (text: string) => text.replace(/"payload":"eyJ/, '"payload":"eyK'), /: event_log row \d+: /],
    [
      "a count of repeated failures, which is not part of the chain",
      (text: string) => text.replace(/"repeated_failures":\{"count":\d+/, '"repeated_failures":{"count":99'),
      /: its SHA-256 is [0-9a-f]{64}, archive_anchor 60 has/,
    ],
    [
      "an unknown column",
      (text: string) => text.replace('{"seq":5,', '{"seq":5,"colour":"red",'),
      /: line 6: a row has the column colour/,
    ],
    ["a line that is not JSON", (text: string) => text.replace('{"seq":5,', "{seq:5,"), /jsonl\.gz: line 6: /],
  ])("%s", async (_, change, problem) => {
    rewrite(FIRST, change);
    const found = await inFiles();
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(problem);
    expect(findingsIn(temporary.directory)).toEqual([]);
  });

  it("bytes at any position", async () => {
    const whole = readFileSync(pathOf(SECOND));
    for (let at = 3; at < whole.length; at += Math.ceil(whole.length / 25)) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 0x20;
      writeFileSync(pathOf(SECOND), damaged);
      expect(await inFiles(), `byte ${at}`).toHaveLength(1);
    }
  });

  it("another log's file in its place", async () => {
    using other = new TemporaryStore();
    appendLongLog(other.store, other.clock, 29);
    const { path } = await archiveBefore(other.directory, 61);
    writeFileSync(pathOf(FIRST), readFileSync(path));
    expect((await inFiles())[0]).toMatch(/^oc-partnerd-events-1-60\.jsonl\.gz: its SHA-256 is/);
  });
});

describe("a changed anchor is found", () => {
  it.each([
    [
      "the SHA-256 of its file",
      "update archive_anchor set file_sha256 = substr(file_sha256, 2) || substr(file_sha256, 1, 1) where last_seq = 149",
      /^archive_anchor 149: differs from the LogArchived at seq \d+: {"firstSeq":61,"lastSeq":149,/,
    ],
    [
      "the name of the file",
      "update archive_anchor set file = 'x.gz' where last_seq = 149",
      /^archive_anchor 149: differs from the LogArchived at seq \d+/,
    ],
    [
      "the time when it was made",
      "update archive_anchor set archived_at_ms = 0 where last_seq = 149",
      /^archive_anchor 149: differs from the LogArchived at seq \d+/,
    ],
    [
      "the times of its events",
      "update archive_anchor set last_at_ms = 0 where last_seq = 149",
      /^archive_anchor 149: differs from the LogArchived at seq \d+/,
    ],
    [
      "the directory of its file",
      "update archive_anchor set directory = '/' where last_seq = 149",
      /^archive_anchor 149: differs from the LogArchived at seq \d+/,
    ],
    [
      "its chain hash",
      "update archive_anchor set last_chain_hash = substr(last_chain_hash, 2) || substr(last_chain_hash, 1, 1) where last_seq = 149",
      /^event_log row 150: chain_hash does not follow/,
    ],
    [
      "its state",
      "update archive_anchor set state = (select state from archive_anchor where last_seq = 60) where last_seq = 149",
      /^archive_anchor 149: the state of archive_anchor 149 is damaged: its SHA-256 is/,
    ],
    [
      "its state together with the hash of it",
      "update archive_anchor set (state, state_sha256) = (select state, state_sha256 from archive_anchor where last_seq = 60) where last_seq = 149",
      /^archive_anchor 149: differs from the LogArchived at seq \d+/,
    ],
    [
      "its end",
      "update archive_anchor set last_seq = 150 where last_seq = 149",
      /^event_log row 151: chain_hash does not follow/,
    ],
    [
      "its start",
      "update archive_anchor set first_seq = 62 where last_seq = 149",
      /^archive_anchor 149: first_seq is 62, the archive before it ends at 60/,
    ],
    ["all of it", "delete from archive_anchor where last_seq = 149", /^event_log rows 61 to 149: missing/],
    [
      "the older one",
      "delete from archive_anchor where last_seq = 60",
      /^archive_anchor 149: first_seq is 61, the archive before it ends at 0/,
    ],
    [
      "the row that says the same",
      "update event_log set details = json_set(details, '$.events', 88) where type = 'LogArchived'",
      /chain_hash does not follow/,
    ],
    [
      "which peers had events",
      "update archived_peer set events = events + 1 where last_seq = 60",
      /^archived_peer 12D3\S+ of archive 60: differs from its archive_anchor/,
    ],
    [
      "the state of a peer",
      "update archived_peer set relation = 'FRIEND' where relation is not null",
      /^archived_peer 12D3\S+ of archive \d+: differs from its/,
    ],
    [
      "the peer of a resource",
      "delete from archived_resource where resource_id = 'resource-1'",
      /^archived_resource resource-1 of archive \d+: missing/,
    ],
    [
      "an open stream",
      "update archived_open_stream set opened_at_ms = opened_at_ms + 1",
      /^archived_open_stream \d+ of archive \d+: differs from its/,
    ],
    ["a gap", "delete from archived_delivery where type = 'DeliveryGap'", /^archived_delivery \d+: missing/],
    [
      "a message that could be redelivered",
      "update archived_message set stream_sequence = 999 where stream_sequence = 12",
      /^archived_message: has a message that the archives do not have/,
    ],
    [
      "a message that is missing",
      "delete from archived_message where stream_sequence = 12",
      /^archived_message: has \d+ messages, the archives have \d+/,
    ],
    [
      "a message from core NATS",
      "update archived_core_message set subject = 'X'",
      /^archived_core_message: has a message that the archives do not have/,
    ],
    [
      "the stream of messages",
      "update archived_stream set created = 'X'",
      /^archived_message: has a message that the archives do not have/,
    ],
  ])("%s", (_, statement, problem) => {
    forge(statement);
    expect(findingsIn(temporary.directory)).toContainEqual(expect.stringMatching(problem));
  });

  const SEEDS = seedsFrom(1, repetitions(10, 60));
  it(`any used byte of the database (${SEEDS.length} seeds)`, () => {
    temporary.store[Symbol.dispose]();
    for (const seed of SEEDS) {
      using twin = new Twin(temporary);
      const { what } = flipByte(twin.directory, seededRandom(seed));
      expect.soft(findingsIn(twin.directory), `seed ${seed}: ${what}`).not.toEqual([]);
    }
  });

  it("a missing first row after the archive", () => {
    forge("delete from event_log where seq = 150");
    expect(findingsIn(temporary.directory)).toContainEqual(expect.stringMatching(/^event_log row 150: missing/));
  });

  it("an older anchor whose row in the log is in a file", async () => {
    await archiveBefore(temporary.directory, temporary.store.head().seq);
    expect(await inFiles()).toEqual([]);
    forge("update archive_anchor set events = events + 1 where last_seq = 60");
    expect(findingsIn(temporary.directory)).toEqual([]);
    const [found, ...more] = await inFiles();
    expect(found).toMatch(/event_log row \d+ differs from archive_anchor 60$/);
    expect(more).toEqual([]);
  });
});
