/** Tying the rows that were written before there was a chain to those that come after. */
import type { Database } from "better-sqlite3";
import { asc, getTableColumns, isNotNull, sql } from "drizzle-orm";
import { type BetterSQLite3Database, drizzle } from "drizzle-orm/better-sqlite3";
import { CHAIN_START, chainHash } from "../model/chain.ts";
import { storedSha256Of } from "../model/payload.ts";
import { eventLog } from "../schema/log.ts";

const NO_UPDATE = "event_log_no_update";

/**
 * Gives every row its hash, if not one of them has any: the log of a version before the chain. What somebody did to those rows before
 * now, the chain does not tell. All or nothing; nobody can update a row in between.
 */
export function sealUnchained(database: Database): void {
  const orm = drizzle({ client: database });
  const isEmpty = orm.select({ seq: eventLog.seq }).from(eventLog).limit(1).get() === undefined;
  const isChained = orm.select({ seq: eventLog.seq }).from(eventLog).where(isNotNull(eventLog.chainHash)).limit(1).get();
  if (isEmpty || isChained !== undefined) return;
  const sealing = database.transaction(() => seal(database, orm));
  sealing.immediate();
}

function seal(database: Database, orm: BetterSQLite3Database): void {
  const guard = database.prepare<[string], string>("select sql from sqlite_schema where name = ?").pluck().get(NO_UPDATE);
  database.exec(`drop trigger ${NO_UPDATE}`);
  const set = database.prepare("update event_log set chain_hash = ? where seq = ?");
  const page = orm
    .select(getTableColumns(eventLog))
    .from(eventLog)
    .where(sql`${eventLog.seq} > ${sql.placeholder("afterSeq")}`)
    .orderBy(asc(eventLog.seq))
    .limit(PAGE_ROWS)
    .prepare();
  let last = { seq: 0, hash: CHAIN_START };
  for (let rows = page.all({ afterSeq: 0 }); rows.length > 0; rows = page.all({ afterSeq: last.seq })) {
    for (const row of rows) {
      last = { seq: row.seq, hash: chainHash(last.hash, { ...row, storedSha256: storedSha256Of(row.payload) }) };
      set.run(last.hash, last.seq);
    }
  }
  database.exec(guard ?? "");
}

const PAGE_ROWS = 500;
