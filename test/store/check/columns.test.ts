/** Every column of every table: whichever value is changed past the guards, `check` finds it. */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkDatabase } from "../../../src/store/check/check.ts";
import { sentenceOf } from "../../../src/store/model/finding.ts";
import { isAboutRow } from "../../support/corruptions.ts";
import { behindTheGuards } from "../../support/forger.ts";
import { PEER_A } from "../../support/peers.ts";
import { archiveBefore } from "../support/archiving.ts";
import { append, desired, observe, observeClosed, opened, start } from "../support/events.ts";
import { appendLongLog } from "../support/long-log.ts";
import { rawConnection, TemporaryStore, temporaryDirectory } from "../support/temporary-store.ts";

const FILES = ["oc-partnerd.db", "oc-partnerd.head"];

type Value = string | number | Buffer | null;
type Row = Record<string, Value>;

interface Change {
  readonly table: string;
  /** The values of the primary key. */
  readonly key: Row;
  readonly column: string;
  readonly value: Value;
  readonly other: Value;
}

let left: ReturnType<typeof temporaryDirectory>;
let changes: readonly Change[];

/** A log in which every column has a value somewhere, a part of it archived. */
beforeAll(async () => {
  left = temporaryDirectory();
  using temporary = new TemporaryStore();
  const live = () => {
    const { store, clock } = temporary;
    start(store);
    append(store, desired({ claimedUser: "anna" }));
    observe(store, opened(PEER_A));
    observe(store, opened(PEER_A, "outbound", "/other/1.0"));
    clock.stall(-2_000);
    appendLongLog(store, clock, 20);
    observeClosed(store, PEER_A);
    store.appendStopped(60_000);
    temporary.reopen();
  };
  const noStream = { stream: null, streamCreated: null, streamSequence: null };
  temporary.store.appendDelivery([
    { type: "DeliveryChanged", reason: "at_most_once", ...noStream, message: "there is no stream" },
  ]);
  live();
  await archiveBefore(temporary.directory, temporary.store.head().seq - 5);
  live();
  append(temporary.store, desired());
  observe(temporary.store, opened(PEER_A));
  temporary.store[Symbol.dispose]();
  for (const name of FILES) copyFileSync(join(temporary.directory, name), join(left.path, name));
  changes = changesOf(temporary.path);
});
afterAll(() => left[Symbol.dispose]());

/** Of each column the newest row with a value in it, and the newest without one. */
function changesOf(path: string): readonly Change[] {
  using raw = rawConnection(path, { readonly: true });
  const { database } = raw;
  const tables = database
    .prepare<[], string>(
      "select name from sqlite_schema where type = 'table' and name not like '%\\_\\_%' escape '\\' order by 1",
    )
    .pluck()
    .all();
  return tables.flatMap((table) => {
    const columns = database.prepare<[], { name: string; pk: number }>(`pragma table_info(${table})`).all();
    const keys = columns.filter(({ pk }) => pk > 0).map(({ name }) => name);
    return columns.flatMap(({ name: column }) =>
      ["is not null", "is null"].flatMap((condition) => {
        const row = database.prepare<[], Row>(`select * from ${table} where ${column} ${condition} order by ${keys} desc`).get();
        if (row === undefined) return [];
        const key = Object.fromEntries(keys.map((name) => [name, row[name] ?? null]));
        const value = row[column] ?? null;
        return [{ table, column, key, value, other: otherThan(value) }];
      }),
    );
  });
}

function otherThan(value: Value): Value {
  if (value === null) return 1;
  if (typeof value === "number") return value + 1_000_000;
  return typeof value === "string" ? `${value}x` : Buffer.concat([value, Buffer.from("x")]);
}

function findingsAfter(statement: string, ...values: readonly Value[]) {
  using copy = temporaryDirectory();
  for (const name of FILES) copyFileSync(join(left.path, name), join(copy.path, name));
  const database = new Database(join(copy.path, "oc-partnerd.db"));
  behindTheGuards(database, () => database.prepare(statement).run(...values));
  database.close();
  return checkDatabase({ path: copy.path }).findings;
}

const whereOf = (key: Row) =>
  Object.keys(key)
    .map((name) => `${name} = ?`)
    .join(" and ");

describe("a value that was changed past the guards", () => {
  it("is looked for in a log in which every column has a value, and which is sound", () => {
    expect(checkDatabase({ path: left.path }).findings.map(sentenceOf)).toEqual([]);
    using raw = rawConnection(join(left.path, "oc-partnerd.db"), { readonly: true });
    const columns = raw.database
      .prepare<[], string>(
        "select t.name || '.' || c.name from sqlite_schema as t, pragma_table_info(t.name) as c where t.type = 'table' and t.name not like '%\\_\\_%' escape '\\'",
      )
      .pluck()
      .all();
    expect(columns.length).toBeGreaterThan(120);
    const changed = new Set(changes.filter(({ value }) => value !== null).map(({ table, column }) => `${table}.${column}`));
    expect(columns.filter((column) => !changed.has(column))).toEqual([]);
  });

  it("is found, and in the log its row is named", () => {
    for (const { table, key, column, value, other } of changes) {
      const change = `update ${table} set ${column} = ? where ${whereOf(key)}`;
      const findings = findingsAfter(change, other, ...Object.values(key));
      const isFound = table === "event_log" ? findings.some(isAboutRow(Number(key["seq"]))) : findings.length > 0;
      const what = `${table}.${column} of ${JSON.stringify(key)}, which was ${value}`;
      expect.soft(isFound, `${what}\n${findings.map(sentenceOf).join("\n")}`).toBe(true);
    }
  });
});

describe("a row that was deleted past the guards", () => {
  it("is missed in every table but that of the counts, which no row proves", () => {
    const byTable = new Map(changes.map(({ table, key }) => [table, key]));
    for (const [table, key] of byTable) {
      if (table === "repeated_failures") continue;
      const findings = findingsAfter(`delete from ${table} where ${whereOf(key)}`, ...Object.values(key));
      expect.soft(findings.length > 0, `${table} ${JSON.stringify(key)}`).toBe(true);
    }
  });
});
