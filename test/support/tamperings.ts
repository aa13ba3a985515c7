/** Ways to tamper with a data directory that fit together, with what `check` must say: a finding, or the witness that it needs. */
import { closeSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { Random } from "../../src/base/clock.ts";
import { type CursorRow, cursorOf, cursorRowOf } from "../../src/store/model/cursor.ts";
import { repetitionChecksum } from "../../src/store/model/repetition.ts";
import { behindTheGuards, makeFit } from "./forger.ts";

interface Tampering {
  readonly what: string;
  /** Matches the place and the text of a finding; null if nothing in the file contradicts it. */
  readonly finding: RegExp | null;
  /** Matches the place and the claim of what needs a witness; null if there is a finding. */
  readonly witness: RegExp | null;
  /** Matches the finding with --require-head and --require-archives; null if they do not help. */
  readonly required?: RegExp;
}

export type Tamper = (directory: string, random: Random) => Tampering;

const found = (what: string, finding: RegExp): Tampering => ({ what, finding, witness: null });
const witnessed = (what: string, witness: RegExp, required?: RegExp): Tampering => ({
  what,
  finding: null,
  witness,
  ...(required && { required }),
});

/** A peer gets another standing, address or resource id, and no event says so. */
export const changeProjection: Tamper = (directory, random) =>
  write(directory, (database) => {
    const peerId = pick(random, database.prepare<[], string>("select peer_id from desired_peer").pluck().all());
    const change = pick(random, [
      "standing = case standing when 'partner' then 'revoked' else 'partner' end",
      "address = '/ip4/10.9.9.9/tcp/4011'",
      "resource_id = 'forged'",
      "generation = generation + 1",
    ]);
    database.prepare(`update desired_peer set ${change} where peer_id = ?`).run(peerId);
    return found(`${change} of ${peerId}`, new RegExp(`^desired_peer ${peerId}: .*the replay gives`));
  });

/** The cursor skips messages, with a correct checksum. */
export const moveCursorForward: Tamper = (directory, random) =>
  write(directory, (database) => {
    const columns = "*, first_sequence as firstSequence, message_hash as messageHash";
    const row = database.prepare<[], CursorRow>(`select ${columns} from ingest_cursor`).get();
    if (row === undefined) throw new Error("there is no cursor");
    const sequence = row.sequence + 1 + Math.floor(random.next() * 1_000);
    const { checksum } = cursorRowOf({ ...cursorOf(row), sequence, messageHash: null });
    database.prepare("update ingest_cursor set sequence = ?, message_hash = null, checksum = ?").run(sequence, checksum);
    return witnessed(
      `the cursor moved to ${sequence}`,
      new RegExp(`^ingest_cursor row 1: sequences \\d+ to ${sequence} left no row`),
    );
  });

/** A count of repeated failures changes, with a correct checksum, or is deleted. */
export const changeCount: Tamper = (directory, random) =>
  write(directory, (database) => {
    const rows = database
      .prepare<[], { firstSeq: number; count: number; lastAtMs: number }>(
        "select first_seq as firstSeq, count, last_at_ms as lastAtMs from repeated_failures",
      )
      .all();
    const row = pick(random, rows);
    const count = row.count + 1 + Math.floor(random.next() * 50);
    if (random.next() < 0.3) database.prepare("delete from repeated_failures where first_seq = ?").run(row.firstSeq);
    else
      database
        .prepare("update repeated_failures set count = ?, checksum = ? where first_seq = ?")
        .run(count, repetitionChecksum({ ...row, count }), row.firstSeq);
    return witnessed(`the count of row ${row.firstSeq}`, /^repeated_failures: /);
  });

export const loseArchive: Tamper = (directory, random) => {
  const name = pick(
    random,
    readdirSync(join(directory, "archive")).filter((file) => file.includes(".jsonl")),
  );
  const file = join(directory, "archive", name);
  if (random.next() < 0.5) rmSync(file);
  else renameSync(file, join(directory, "archive", `${Math.floor(random.next() * 1_000)}.old`));
  return witnessed(
    `${name} deleted or renamed`,
    new RegExp(`only in ${name}, which is (not in|in none of) `),
    new RegExp(`^${name}: missing`),
  );
};

export const loseHead: Tamper = (directory, random) => {
  const file = join(directory, "oc-partnerd.head");
  if (random.next() < 0.5) rmSync(file);
  else writeFileSync(file, "");
  return witnessed("the head file deleted or emptied", /^oc-partnerd\.head: is missing/, /^oc-partnerd\.head: missing/);
};

/** A guard is exchanged for one of the same name, doubled, or joined by another. */
export const swapTrigger: Tamper = (directory, random) => {
  const database = new Database(join(directory, "oc-partnerd.db"));
  try {
    const triggers = database
      .prepare<[], { name: string; table: string }>("select name, tbl_name as 'table' from sqlite_schema where type = 'trigger'")
      .all();
    const { name, table } = pick(random, triggers);
    const noGuard = (as: string) => `create trigger ${as} before delete on "${table}" begin select 1; end`;
    const kind = pick(random, ["emptied", "added", "named as its table", "doubled"] as const);
    if (kind === "emptied") database.exec(`drop trigger ${name}; ${noGuard(name)}`);
    else if (kind === "added") database.exec(noGuard(`helper_${Math.floor(random.next() * 100)}`));
    else if (kind === "named as its table") database.exec(noGuard(table));
    else double(database, name, noGuard(name));
    return found(`trigger ${name} ${kind}`, /^(trigger \w+|oc-partnerd\.db): /);
  } finally {
    database.close();
  }
};

/** Puts another entry of this name into the schema, before the genuine one. */
function double(database: Database.Database, name: string, sql: string): void {
  database.unsafeMode(true);
  database.pragma("writable_schema = on");
  const genuine = "from sqlite_schema where type = 'trigger' and name = ?";
  const rowid = database.prepare<[string], number>(`select rowid ${genuine}`).pluck().get(name);
  database
    .prepare(
      `insert into sqlite_schema (type, name, tbl_name, rootpage, sql) select type, name, tbl_name, rootpage, sql ${genuine}`,
    )
    .run(name);
  database.prepare("update sqlite_schema set sql = ? where rowid = ?").run(sql, rowid);
  database.pragma("writable_schema = off");
}

/** A row that no archive holds, behind the anchor. */
export const addBehindAnchor: Tamper = (directory, random) =>
  write(directory, (database) => {
    const anchor = Number(database.prepare("select max(last_seq) from archive_anchor").pluck().get());
    const seq = 1 + Math.floor(random.next() * anchor);
    const columns = database
      .prepare<[], string>("select name from pragma_table_info('event_log') where name not in ('seq', 'dedupe_key')")
      .pluck()
      .all();
    const copied = columns.map((column) => `"${column}"`).join(", ");
    const source = database.prepare("select max(seq) from event_log where type = 'OpenFailed'").pluck().get();
    database.prepare(`insert into event_log (seq, ${copied}) select ?, ${copied} from event_log where seq = ?`).run(seq, source);
    return found(`row ${seq} behind the anchor ${anchor}`, new RegExp(`^event_log rows? ${seq}\\b`));
  });

/** A row of the log before its first one, which the chain does not reach. */
export const addBeforeFirst: Tamper = (directory, random) =>
  write(directory, (database) => {
    const seq = -Math.floor(random.next() * 1_000);
    database
      .prepare("insert into event_log (seq, type, at_ms, dedupe_key, chain_hash) values (?, 'PeerRemoved', 0, ?, ?)")
      .run(seq, pick(random, [null, "2026-01-06T09:00:00Z/7/0123456789abcdef"]), "0".repeat(64));
    return found(`row ${seq}`, new RegExp(`^event_log row ${seq}: is before the first row`));
  });

/** Remains of an archive in a log that has none: a message to be taken for a repetition, for example. */
export const addWithoutArchive: Tamper = (directory, random) =>
  write(directory, (database) => {
    const [table, columns, values] = pick(random, [
      ["archived_message", "stream_id, stream_sequence, message_hash", "1, 7, 'forged'"],
      ["archived_core_message", "seq, at_ms, subject, payload_sha256", "1, 7, 'CREATE_RESOURCE', 'forged'"],
      ["archived_stream", "created", "'forged'"],
      ["archived_peer", "peer_id, last_seq, events", "'forged', 3, 9"],
      ["archived_resource", "resource_id, last_seq, peer_id", "'forged', 3, 'forged'"],
      ["archived_delivery", "seq, type, at_ms, reason, chain_hash", "2, 'DeliveryGap', 3, 'purged', 'forged'"],
      ["archived_open_stream", "last_seq, seq, peer_id, protocol, direction, opened_at_ms", "3, 2, 'forged', 'p', 'outbound', 4"],
    ] as const);
    database.exec(`insert into ${table} (${columns}) values (${values})`);
    return found(`a row of ${table}`, new RegExp(`^${table}\\b`));
  });

/** A row's columns or its payload say something else, and the whole chain and the head file are recomputed. */
export const contradictPayload: Tamper = (directory, random) =>
  recomputed(directory, (database) => {
    const seqs = database
      .prepare<[], number>("select seq from event_log where type = 'PeerDesired' and subject is not null")
      .pluck();
    const seq = pick(random, seqs.all());
    const [column, value] = pick(random, [
      ["relation", "FORGED"],
      ["name", "forged"],
      ["source", "forged"],
      ["claimed_user", "forged"],
    ] as const);
    database.prepare(`update event_log set ${column} = ? where seq = ?`).run(value, seq);
    return [seq, found(`${column} of row ${seq}`, new RegExp(`^event_log row ${seq}: .* its payload says`))];
  });

/** A row that nothing else describes changes, and the whole chain and the head file are recomputed. */
export const rewriteChain: Tamper = (directory, random) =>
  recomputed(directory, (database) => {
    const lastSeq = Number(database.prepare("select max(seq) from event_log").pluck().get());
    const seq = 1 + Math.floor(random.next() * lastSeq);
    database.prepare("update event_log set at_ms = at_ms + 1 where seq = ?").run(seq);
    return [seq, witnessed(`row ${seq}, with the chain after it`, /^event_log: .*could have recomputed the whole chain/)];
  });

export const changeHeader: Tamper = (directory, random) => {
  const at = pick(random, [18, 19, 72 + Math.floor(random.next() * 20)]);
  const file = join(directory, "oc-partnerd.db");
  const before = readFileSync(file)[at] ?? 0;
  const descriptor = openSync(file, "r+");
  writeSync(descriptor, Buffer.from([before ^ (1 + Math.floor(random.next() * 255))]), 0, 1, at);
  closeSync(descriptor);
  return found(`byte ${at} of the file header`, /^(file header|oc-partnerd\.db): /);
};

function write(directory: string, change: (database: Database.Database) => Tampering): Tampering {
  const database = new Database(join(directory, "oc-partnerd.db"));
  try {
    const tamperings: Tampering[] = [];
    behindTheGuards(database, () => void tamperings.push(change(database)));
    return tamperings[0] as Tampering;
  } finally {
    database.close();
  }
}

function recomputed(
  directory: string,
  change: (database: Database.Database) => readonly [fromSeq: number, tampering: Tampering],
): Tampering {
  return write(directory, (database) => {
    const [fromSeq, tampering] = change(database);
    const cursor = database.prepare("select * from ingest_cursor").get();
    makeFit(database, fromSeq);
    if (cursor === undefined) database.exec("delete from ingest_cursor");
    const newest = "select seq, chain_hash as chainHash from event_log order by seq desc limit 1";
    const head = { ...(database.prepare(newest).get() as object), atMs: null };
    writeFileSync(join(directory, "oc-partnerd.head"), `${JSON.stringify(head).padEnd(159)}\n`);
    return tampering;
  });
}

function pick<Value>(random: Random, values: readonly Value[]): Value {
  const value = values[Math.floor(random.next() * values.length)];
  if (value === undefined) throw new Error("nothing to pick from");
  return value;
}
