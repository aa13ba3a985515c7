/** Ways to damage a data directory, each drawn from a seed, with what a check has to name. */
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { Random } from "../../src/base/clock.ts";
import type { Finding } from "../../src/store/model/finding.ts";
import { behindTheGuards, makeFit } from "./forger.ts";
import { type HeldBytes, heldBytes, type Tree } from "./sqlite-pages.ts";

interface Corruption {
  /** What was done, for a test that fails. */
  readonly what: string;
  /** Whether the finding names the place. */
  readonly isNamedBy: (finding: Finding) => boolean;
}

export type Corrupt = (directory: string, random: Random) => Corruption;

/** Whether the finding is about this row of the log, or about rows among which it is. */
export function isAboutRow(seq: number): (finding: Finding) => boolean {
  return ({ place }) => {
    const { from, to } = /^event_log rows? (?<from>\d+)(?: to (?<to>\d+))?$/.exec(place)?.groups ?? {};
    return from !== undefined && seq >= Number(from) && seq <= Number(to ?? from);
  };
}

const DATABASE = "oc-partnerd.db";

/** A byte of the file changed, in what holds something. Half of the time in a byte of a structure that few bytes belong to. */
export const flipByte: Corrupt = (directory, random) => {
  const file = join(directory, DATABASE);
  const bytes = readFileSync(file);
  const held = heldBytes(bytes, treesOf(file));
  const place = random.next() < 0.5 ? pick(random, held) : byBytes(random, held);
  const at = place.from + Math.floor(random.next() * (place.to - place.from));
  const before = bytes[at] ?? 0;
  const after = otherByte(random, before, place.isTypes);
  bytes[at] = after;
  writeFileSync(file, bytes);
  return { what: `byte ${at} from ${before} to ${after} (${JSON.stringify(place)})`, isNamedBy: naming(place) };
};

function naming({ page, tree, rowid }: HeldBytes): Corruption["isNamedBy"] {
  const isPage = ({ place }: Finding) => place === `page ${page}`;
  if (tree === null) return ({ place }) => /^(file header|pages?\b|oc-partnerd\.db$)/.test(place);
  // Where the schema cannot be read, nothing can.
  if (tree === "sqlite_schema")
    return (finding) => isPage(finding) || /^(oc-partnerd\.db|table|index|trigger|view) ?/.test(finding.place);
  if (tree === "event_log" && rowid !== null) return (finding) => isPage(finding) || isAboutRow(rowid)(finding);
  return (finding) => isPage(finding) || `${finding.place} ${finding.problem}`.includes(tree) || isOwner(tree, finding.place);
}

/** SQLite's look at a table with its indexes may break off before it can tell which of them it is. */
function isOwner(tree: string, place: string): boolean {
  return place.startsWith("table ") && tree.replace("sqlite_autoindex_", "").startsWith(place.slice("table ".length));
}

/** One value of one row changed by SQL, past the guards. */
export const editRow: Corrupt = (directory, random) =>
  bySql(directory, (database) => {
    const { table, key } = pick(random, [LOG, LOG, LOG, LOG, ...OTHERS]);
    const row = pick(random, database.prepare<[], Row>(`select *, ${key} as its_key from ${table}`).all());
    const column = pick(
      random,
      Object.keys(row).filter((name) => name !== key && name !== "its_key"),
    );
    database.prepare(`update ${table} set "${column}" = ? where ${key} = ?`).run(otherValue(random, row[column]), row["its_key"]);
    return { what: `${column} of ${table} ${row["its_key"]}`, isNamedBy: namingRow(table, row["its_key"]) };
  });

/** One row taken out by SQL, past the guards; not the newest of the log. */
export const deleteRow: Corrupt = (directory, random) =>
  bySql(directory, (database) => {
    // The counts of failures are the one thing that no row proves.
    const { table, key } = pick(random, [LOG, LOG, LOG, ...OTHERS.filter((other) => other.table !== "repeated_failures")]);
    const keys = database.prepare<[], string | number>(`select ${key} from ${table} order by 1`).pluck().all();
    const taken = pick(random, table === LOG.table ? keys.slice(0, -1) : keys);
    database.prepare(`delete from ${table} where ${key} = ?`).run(taken);
    return { what: `${table} ${taken} deleted`, isNamedBy: namingRow(table, taken) };
  });

/** The newest rows taken out, and all that follows from the rest made to fit. */
export const cutTail: Corrupt = (directory, random) =>
  bySql(directory, (database) => {
    const lastSeq = Number(database.prepare("select max(seq) from event_log").pluck().get());
    const kept = Math.floor(random.next() * lastSeq);
    database.prepare("delete from event_log where seq > ?").run(kept);
    makeFit(database, lastSeq);
    return { what: `rows ${kept + 1} to ${lastSeq} cut off`, isNamedBy: isAboutRow(kept + 1) };
  });

/** The end of the write-ahead log that a killed daemon left. */
export const truncateWal =
  (lastSeq: number): Corrupt =>
  (directory, random) => {
    const file = join(directory, `${DATABASE}-wal`);
    const bytes = Math.floor(random.next() * readFileSync(file).length);
    truncateSync(file, bytes);
    return { what: `the write-ahead log cut to ${bytes} bytes`, isNamedBy: isAboutRow(lastSeq) };
  };

export const flipWalByte =
  (lastSeq: number): Corrupt =>
  (directory, random) => {
    const file = join(directory, `${DATABASE}-wal`);
    const bytes = readFileSync(file);
    const at = Math.floor(random.next() * bytes.length);
    bytes[at] = otherByte(random, bytes[at] ?? 0, false);
    writeFileSync(file, bytes);
    return { what: `byte ${at} of the write-ahead log`, isNamedBy: isAboutRow(lastSeq) };
  };

type Row = Record<string, string | number | Buffer | null>;

const LOG = { table: "event_log", key: "seq" };
const OTHERS = [
  { table: "desired_peer", key: "peer_id" },
  { table: "peer_status_row", key: "peer_id" },
  { table: "open_stream", key: "seq" },
  { table: "ingest_cursor", key: "id" },
  { table: "repeated_failures", key: "first_seq" },
  { table: "__drizzle_migrations", key: "rowid" },
];

function namingRow(table: string, key: string | number | Buffer | null | undefined): Corruption["isNamedBy"] {
  if (table === LOG.table) return isAboutRow(Number(key));
  return ({ place }) => place.startsWith(table) && (place === table || place.includes(String(key)));
}

function bySql(directory: string, change: (database: Database.Database) => Corruption): Corruption {
  const database = new Database(join(directory, DATABASE));
  try {
    let corruption: Corruption | undefined;
    behindTheGuards(database, () => {
      corruption = change(database);
    });
    if (corruption === undefined) throw new Error("nothing was changed");
    return corruption;
  } finally {
    database.close();
  }
}

/** Every tree of the file; whether a table's first column is its rowid SQLite tells. */
function treesOf(file: string): Tree[] {
  const database = new Database(file, { readonly: true });
  try {
    const rows = database
      .prepare<[], { name: string; rootPage: number; type: string; sql: string | null }>(
        "select name, rootpage as rootPage, type, sql from sqlite_schema where rootpage > 0",
      )
      .all();
    return rows.map(({ name, rootPage, type, sql }) => {
      const hasRowidColumn = type === "table" && /^[^(]*\(\s*[`"]?\w+[`"]? integer primary key/i.test(sql ?? "");
      return { name, rootPage, hasRowidColumn };
    });
  } finally {
    database.close();
  }
}

function byBytes(random: Random, held: readonly HeldBytes[]): HeldBytes {
  let left = Math.floor(random.next() * held.reduce((sum, { from, to }) => sum + to - from, 0));
  for (const place of held) {
    left -= place.to - place.from;
    if (left < 0) return place;
  }
  throw new Error("the file holds nothing");
}

/** Codes 0, 10 and 11 of a record's types are all NULL to SQLite. */
function otherByte(random: Random, before: number, isTypes: boolean): number {
  const after = before ^ (1 + Math.floor(random.next() * 255));
  const isSame = isTypes && [before, after].every((code) => code === 0 || code === 10 || code === 11);
  return isSame ? otherByte(random, before, isTypes) : after;
}

function otherValue(random: Random, before: Row[string] | undefined): Row[string] {
  if (before === null || before === undefined) return pick(random, [1, "forged"]);
  if (typeof before === "number") return before + 1 + Math.floor(random.next() * 1_000);
  if (typeof before === "string") return `${before.slice(0, -1)}${before.endsWith("x") ? "y" : "x"}`;
  const bytes = Buffer.from(before);
  const at = Math.floor(random.next() * bytes.length);
  bytes[at] = otherByte(random, bytes[at] ?? 0, false);
  return bytes;
}

function pick<Value>(random: Random, values: readonly Value[]): Value {
  const value = values[Math.floor(random.next() * values.length)];
  if (value === undefined) throw new Error("nothing to pick from");
  return value;
}
