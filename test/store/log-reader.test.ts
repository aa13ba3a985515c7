/** Reading the log beside the daemon. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PartnerdError } from "../../src/base/errors.ts";
import type { LogPlace } from "../../src/store/archive/archive-plan.ts";
import { type LogWindow, openLogReader } from "../../src/store/log-reader.ts";
import { PEER_A, PEER_B } from "../support/peers.ts";
import { archiveBefore } from "./support/archiving.ts";
import { append, closed, desired, observe, opened, openFailed, rejected } from "./support/events.ts";
import { toldStory } from "./support/story.ts";
import { rawConnection, TemporaryStore, temporaryDirectory } from "./support/temporary-store.ts";

const ALL: LogWindow = { fromSeq: 1, toSeq: Number.MAX_SAFE_INTEGER, peerIds: [] };

function failureOf(path: string): PartnerdError {
  try {
    openLogReader(path)[Symbol.dispose]();
  } catch (thrown) {
    if (thrown instanceof PartnerdError) return thrown;
    throw thrown;
  }
  throw new Error("the log could be read");
}

describe("the rows", () => {
  it("match the store's, with payload and last repetition", () => {
    using temporary = new TemporaryStore();
    const { store, clock } = temporary;
    append(store, desired(), { payload: Buffer.from("the message") });
    observe(store, openFailed(PEER_A));
    clock.stall(2_000);
    observe(store, openFailed(PEER_A));
    using reader = openLogReader(temporary.directory);
    const rows = [...reader.rows(ALL)];
    expect(rows.map(({ payload: _payload, lastRepeatedAtMs: _last, ...row }) => row)).toEqual(
      store.history(PEER_A, { limit: 10 }).toReversed(),
    );
    expect(rows.map(({ payload }) => payload && Buffer.from(payload).toString())).toEqual(["the message", null]);
    expect(rows.map(({ lastRepeatedAtMs }) => lastRepeatedAtMs)).toEqual([null, clock.wallMs()]);
    expect(reader.head()).toMatchObject({ seq: 2, atMs: clock.wallMs() - 2_000 });
  });

  it("come in pages without a gap while the daemon keeps writing", () => {
    using temporary = new TemporaryStore();
    temporary.store.appendReceived(
      Array.from({ length: 1_203 }, () => ({ decoded: rejected(), subject: "A", payload: Buffer.from("x"), dedupeKey: null })),
    );
    using reader = openLogReader(temporary.directory);
    const seqs: number[] = [];
    for (const { seq } of reader.rows(ALL)) {
      if (seq === 700) append(temporary.store, desired());
      seqs.push(seq);
    }
    expect(seqs).toEqual(Array.from({ length: 1_204 }, (_, index) => index + 1));
    expect(reader.count({ ...ALL, fromSeq: 2, toSeq: 11 })).toBe(10);
    expect([...reader.rows({ ...ALL, fromSeq: 2, toSeq: 3 })].map(({ seq }) => seq)).toEqual([2, 3]);
  });

  it("of one peer include the event that took its resource", () => {
    using story = toldStory();
    using reader = openLogReader(story.directory);
    const window = { ...ALL, peerIds: [PEER_B] };
    expect([...reader.rows(window)].map(({ seq }) => seq)).toEqual([4, 5, 13]);
    expect(reader.count(window)).toBe(3);
  });

  it("can be found by time", () => {
    using story = toldStory();
    using reader = openLogReader(story.directory);
    const at = Date.parse("2026-01-01T12:00:07.000Z");
    expect([reader.firstSince(at), reader.firstSince(at + 1)]).toEqual([5, 6]);
    expect([reader.lastUntil(at), reader.lastUntil(at - 1)]).toEqual([5, 4]);
    expect([reader.firstSince(at + 1e9), reader.lastUntil(at - 1e9)]).toEqual([undefined, undefined]);
  });

  it("are preceded by the state at that point", () => {
    using temporary = new TemporaryStore();
    append(temporary.store, desired());
    observe(temporary.store, opened(PEER_A));
    observe(temporary.store, closed(PEER_A));
    using reader = openLogReader(temporary.directory);
    const { desired: peers, status } = reader.stateBefore(3);
    expect(peers.get(PEER_A)).toEqual(temporary.store.get(PEER_A));
    expect(status.get(PEER_A)?.openStreams).toMatchObject([{ seq: 2 }]);
    expect(reader.stateBefore(1).desired.size).toBe(0);
  });
});

describe("a moment that is not in the log is refused, with those that are", () => {
  const momentOf = (directory: string, place: LogPlace) => {
    using reader = openLogReader(directory);
    return reader.asOf(place);
  };
  const refused = (directory: string, place: LogPlace, message: RegExp, nextStep: string) =>
    expect(() => momentOf(directory, place)).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(message) as string,
        nextStep: expect.stringContaining(nextStep) as string,
      }) as Error,
    );

  it("of an empty log", () => {
    using temporary = new TemporaryStore();
    refused(temporary.directory, { seq: 1 }, /^the log is empty$/, "within the log, once it has rows");
    refused(temporary.directory, { atMs: 0 }, /^the log begins after 1970/, "once it has rows");
  });

  it("beyond either end", () => {
    using story = toldStory();
    const [first] = story.read("select at_ms from event_log where seq = 1");
    refused(story.directory, { seq: 17 }, /^the log ends at seq 16, before seq 17$/, "within the log, seq 1 to 16");
    refused(story.directory, { atMs: Number(first?.["at_ms"]) - 1 }, /^the log begins after/, "seq 1 to 16");
    expect(momentOf(story.directory, { seq: 16 }).seq).toBe(16);
  });

  it("in an archive, by its file; of its last row the log has the state", async () => {
    using story = toldStory();
    const { path, anchor } = await archiveBefore(story.directory, 6);
    expect(momentOf(story.directory, { seq: 5 })).toMatchObject({ seq: 5, atMs: anchor.lastAtMs });
    for (const place of [{ seq: 4 }, { atMs: anchor.firstAtMs }, { atMs: anchor.lastAtMs - 1 }])
      refused(story.directory, place, new RegExp(`^seq 1 to 5 are in the archive ${path}$`), "begin with seq 5 or later");
    refused(
      story.directory,
      { atMs: anchor.firstAtMs - 1 },
      /^the log begins after/,
      "seq 5 to 17; earlier rows are in archives",
    );
  });

  it("after an archive of the first row alone, which is named like a whole log", async () => {
    using story = toldStory();
    await archiveBefore(story.directory, 2);
    refused(story.directory, { seq: 99 }, /^the log ends at seq 17, before seq 99$/, "seq 1 to 17");
    expect(story.store.history(PEER_A, { limit: 100 }).at(-1)?.seq).toBe(1);
  });
});

describe("reading", () => {
  it("does not change the database, and works on a renamed copy", () => {
    using story = toldStory();
    story.store[Symbol.dispose]();
    using elsewhere = temporaryDirectory();
    const copy = join(elsewhere.path, "backup.db");
    copyFileSync(story.path, copy);
    const before = readFileSync(copy);
    {
      using reader = openLogReader(copy);
      expect(reader.head().seq).toBe(16);
      expect([...reader.rows(ALL)]).toHaveLength(16);
    }
    expect(readFileSync(copy).equals(before)).toBe(true);
  });
});

describe("a file that is not our log is rejected", () => {
  it("if it does not exist, and nothing is created", () => {
    using temporary = temporaryDirectory();
    for (const path of [temporary.path, join(temporary.path, "not", "there")]) {
      const failure = failureOf(path);
      expect(failure).toMatchObject({
        code: "database_failed",
        exitCode: 74,
        nextStep: expect.stringContaining("--data") as string,
      });
      expect(failure.message).toContain(`there is no database in "${path}"`);
    }
    expect(readdirSync(temporary.path)).toEqual([]);
    expect(existsSync(join(temporary.path, "not"))).toBe(false);
  });

  it.each([
    ["an empty file", Buffer.alloc(0), "is empty: no daemon has ever written to it"],
    [
      "a text",
      Buffer.from("no database at all, but some text that is long enough for a header of one".repeat(3)),
      "not a database",
    ],
  ])("%s", (_, content, message) => {
    using temporary = temporaryDirectory();
    const path = join(temporary.path, "oc-partnerd.db");
    writeFileSync(path, content);
    expect(failureOf(temporary.path)).toMatchObject({
      code: "database_failed",
      message: expect.stringContaining(message) as string,
    });
    expect(readFileSync(path).equals(content)).toBe(true);
  });

  it("a directory, another program's database, a newer schema, an older one", () => {
    using temporary = temporaryDirectory();
    mkdirSync(join(temporary.path, "oc-partnerd.db"));
    expect(failureOf(temporary.path).exitCode).toBe(74);

    const foreign = join(temporary.path, "foreign.db");
    {
      using raw = rawConnection(foreign);
      raw.database.exec("create table t (x)");
    }
    expect(failureOf(foreign).message).toContain("another program");

    using ours = new TemporaryStore();
    ours.write("insert into __drizzle_migrations (hash, created_at) values ('of tomorrow', 9)");
    expect(failureOf(ours.directory)).toMatchObject({ code: "database_newer", exitCode: 78 });
    ours.write("delete from __drizzle_migrations where hash = 'of tomorrow' or rowid = 1");
    const older = failureOf(ours.directory);
    expect(older).toMatchObject({
      code: "database_failed",
      message: expect.stringMatching(/has schema version \d, this/) as string,
    });
    expect(older.nextStep).toContain("daemon");
  });
});
