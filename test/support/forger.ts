/** Tampers with a database like a knowledgeable attacker: removes and restores the guards, and recomputes everything derived. */

import type Database from "better-sqlite3";
import { readRows } from "../../src/store/check/rows/row-reader.ts";
import { startReplay } from "../../src/store/fold/replay.ts";
import { CHAIN_START, chainHash } from "../../src/store/model/chain.ts";
import { cursorOf } from "../../src/store/model/cursor.ts";
import { cursorAfter, type DerivedCursor } from "../../src/store/model/derived-cursor.ts";
import type { LogRow } from "../../src/store/model/log-entry.ts";
import { storedSha256Of } from "../../src/store/model/payload.ts";
import type { ingestCursor } from "../../src/store/schema/log.ts";
import { tables } from "../../src/store/sql/statements/tables.ts";

/** Runs `work` with the guard triggers removed, then restores them. */
export function behindTheGuards(database: Database.Database, work: () => void): void {
  const guards = database
    .prepare<[], { name: string; sql: string }>("select name, sql from sqlite_schema where type = 'trigger'")
    .all();
  for (const { name } of guards) database.exec(`drop trigger ${name}`);
  work();
  for (const { sql } of guards) database.exec(sql);
}

/** Recomputes all hashes from row `fromSeq` on, and the projections, counts and cursor from the rows. */
export function makeFit(database: Database.Database, fromSeq: number): void {
  const setHash = database.prepare("update event_log set chain_hash = ? where seq = ?");
  const replay = startReplay();
  let [last, place]: [string, DerivedCursor | undefined] = [CHAIN_START, undefined];
  for (const row of rowsOf(database)) {
    if (row.seq >= fromSeq) {
      const { supersededPeerId, effect } = row;
      last = chainHash(last, { ...row, supersededPeerId, effect, storedSha256: storedSha256Of(row.payload) });
      setHash.run(last, row.seq);
    } else last = row.chainHash;
    replay.take(row);
    place = cursorAfter(place, row);
  }
  const lastSeq = database.prepare("select coalesce(max(seq), 0) from event_log").pluck().get();
  database.prepare("delete from repeated_failures where first_seq > ?").run(lastSeq);
  for (const table of ["desired_peer", "peer_status_row", "open_stream"]) database.exec(`delete from ${table}`);
  const rows = tables(database);
  for (const peer of replay.desired.values()) rows.upsertDesired(peer);
  for (const after of replay.status.values()) rows.upsertStatus({ before: undefined, after });
  moveCursor(database, place);
}

function* rowsOf(database: Database.Database): Generator<LogRow> {
  // Read all rows first: SQLite does not allow writes during iteration.
  const all = Array.from(readRows(database, 0, Number.MAX_SAFE_INTEGER));
  for (const read of all) {
    if (read.kind === "unreadable") throw new Error(read.why);
    yield read.row;
  }
}

function moveCursor(database: Database.Database, place: DerivedCursor | undefined): void {
  const row = database
    .prepare<[], typeof ingestCursor.$inferSelect>(
      "select *, first_sequence as firstSequence, message_hash as messageHash from ingest_cursor",
    )
    .get();
  if (row === undefined || place === undefined) database.exec("delete from ingest_cursor");
  else tables(database).setCursor({ ...cursorOf(row), sequence: place.sequence, messageHash: place.messageHash });
}
