/** Random ways to damage a data directory, with the finding that a check must report. */
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { Random } from "../../src/base/clock.ts";
import type { Finding } from "../../src/store/model/finding.ts";
import { behindTheGuards, makeFit } from "./forger.ts";
import { type HeldBytes, heldBytes, type Tree } from "./sqlite-pages.ts";

interface Corruption {
  /** Describes the damage, for the message of a failing test. */
  readonly what: string;
  /** Whether the finding names the damaged place. */
  readonly isNamedBy: (finding: Finding) => boolean;
}

export type Corrupt = (directory: string, random: Random) => Corruption;

/** Whether the finding is about this row of the log, or a range of rows that includes it. */
export function isAboutRow(seq: number): (finding: Finding) => boolean {
  return ({ place }) => {
    const { from, to } = /^event_log rows? (?<from>\d+)(?: to (?<to>\d+))?$/.exec(place)?.groups ?? {};
    return from !== undefined && seq >= Number(from) && seq <= Number(to ?? from);
  };
}

const DATABASE = "oc-partnerd.db";

/** Changes one byte of the file that SQLite uses. Half the time it picks a byte of a rare structure. */
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
  // If the schema is unreadable, everything is.
  if (tree === "sqlite_schema")
    return (finding) => isPage(finding) || /^(oc-partnerd\.db|table|index|trigger|view) ?/.test(finding.place);
  if (tree === "event_log" && rowid !== null) return (finding) => isPage(finding) || isAboutRow(rowid)(finding);
  return (finding) => isPage(finding) || `${finding.place} ${finding.problem}`.includes(tree) || isOwner(tree, finding.place);
}

/** SQLite's check of a table and its indexes may stop before it can tell which of them is damaged. */
function isOwner(tree: string, place: string): boolean {
  return place.startsWith("table ") && tree.replace("sqlite_autoindex_", "").startsWith(place.slice("table ".length));
}

/** Changes one value of one row by SQL, with the guards removed. */
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

/** Deletes one row by SQL, with the guards removed; never the newest of the log. */
export const deleteRow: Corrupt = (directory, random) =>
  bySql(directory, (database) => {
    // Counts of repeated failures cannot be verified from any row.
    const { table, key } = pick(random, [LOG, LOG, LOG, ...OTHERS.filter((other) => other.table !== "repeated_failures")]);
    const keys = database.prepare<[], string | number>(`select ${key} from ${table} order by 1`).pluck().all();
    const taken = pick(random, table === LOG.table ? keys.slice(0, -1) : keys);
    database.prepare(`delete from ${table} where ${key} = ?`).run(taken);
    return { what: `${table} ${taken} deleted`, isNamedBy: namingRow(table, taken) };
  });

/** Deletes the newest rows and makes everything derived from the rest consistent. */
export const cutTail: Corrupt = (directory, random) =>
  bySql(directory, (database) => {
    const lastSeq = Number(database.prepare("select max(seq) from event_log").pluck().get());
    const kept = Math.floor(random.next() * lastSeq);
    database.prepare("delete from event_log where seq > ?").run(kept);
    makeFit(database, lastSeq);
    return { what: `rows ${kept + 1} to ${lastSeq} cut off`, isNamedBy: isAboutRow(kept + 1) };
  });

/** Truncates the write-ahead log left by a killed daemon. */
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

/** All B-trees of the file, from SQLite's schema. */
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
  throw new Error("the file is empty");
}

/** SQLite reads type codes 0, 10 and 11 of a record all as NULL. */
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
