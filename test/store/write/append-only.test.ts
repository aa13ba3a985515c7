/** The schema guards the log. The tests use a second connection with SQLite's defaults, as any client might. */
import { describe, expect, it } from "vitest";
import { append, desired } from "../support/events.ts";
import { rawConnection, TemporaryStore } from "../support/temporary-store.ts";

const COLUMNS = "(seq, type, at_ms, dedupe_key, chain_hash)";

function attempt(statement: string, recursiveTriggers: "ON" | "OFF"): { error: string | undefined; rows: unknown[] } {
  using temporary = new TemporaryStore();
  append(temporary.store, desired(), { dedupeKey: "key-1" });
  append(temporary.store, desired({ relation: "NONE", standing: "revoked" }), { dedupeKey: "key-2" });
  using raw = rawConnection(temporary.path);
  raw.database.pragma(`recursive_triggers = ${recursiveTriggers}`);
  let error: string | undefined;
  try {
    raw.database.exec(statement);
  } catch (thrown) {
    error = String(thrown);
  }
  return { error, rows: temporary.read("select seq, relation, dedupe_key from event_log order by seq") };
}

const UNTOUCHED = [
  { seq: 1, relation: "PARTNER", dedupe_key: "key-1" },
  { seq: 2, relation: "NONE", dedupe_key: "key-2" },
];

describe.each(["OFF", "ON"] as const)("the log rejects, with recursive_triggers %s,", (recursiveTriggers) => {
  it.each([
    ["an update", "update event_log set relation = 'PARTNER' where seq = 2", "never updated"],
    ["an update that moves a row", "update or replace event_log set seq = 1 where seq = 2", "never updated"],
    ["a delete", "delete from event_log where seq = 2", "never deleted"],
    ["a delete of everything", "delete from event_log", "never deleted"],
    ["a replacement by seq", `insert or replace into event_log ${COLUMNS} values (2, 'PeerDesired', 0, null, '')`, "gapless"],
    [
      "a replacement by dedupe key",
      `insert or replace into event_log ${COLUMNS} values (3, 'PeerDesired', 0, 'key-1', '')`,
      "already holds an event with this dedupe_key",
    ],
    [
      "an upsert",
      `insert into event_log ${COLUMNS} values (2, 'PeerDesired', 0, null, '') on conflict do update set relation = 'PARTNER'`,
      "gapless",
    ],
    ["an insert that leaves a gap", `insert into event_log ${COLUMNS} values (4, 'PeerDesired', 0, null, '')`, "gapless"],
    ["an insert before the first", `insert into event_log ${COLUMNS} values (0, 'PeerDesired', 0, null, '')`, "gapless"],
    ["an insert without a seq", "insert into event_log (type, at_ms, chain_hash) values ('PeerDesired', 0, '')", "gapless"],
    [
      "two inserts of which one leaves a gap",
      `insert or ignore into event_log ${COLUMNS} values (3, 'X', 0, null, ''), (5, 'X', 0, null, '')`,
      "gapless",
    ],
  ])("%s", (_, statement, reason) => {
    const { error, rows } = attempt(statement, recursiveTriggers);
    expect(error).toContain(reason);
    expect(rows).toEqual(UNTOUCHED);
  });
});

describe("the log takes", () => {
  it("the next row from anyone", () => {
    const { error, rows } = attempt(`insert into event_log ${COLUMNS} values (3, 'PeerDesired', 0, 'key-3', '')`, "OFF");
    expect(error).toBeUndefined();
    expect(rows).toHaveLength(3);
  });
});
