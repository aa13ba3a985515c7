/** Copies rows into a new database unchanged, with the triggers removed that would refuse them. */

import type { Database } from "better-sqlite3";
import type { Projections } from "../fold/replay.ts";
import type { Cursor } from "../model/cursor.ts";
import type { LogRow } from "../model/log-entry.ts";
import type { Repetition } from "../model/repetition.ts";
import { tables } from "../sql/statements/tables.ts";

const ROWS_A_TRANSACTION = 2_000;

/** Runs `work` while the new `database` has no triggers. */
export function withoutGuards(database: Database, work: () => void): void {
  const guards = database
    .prepare<[], { name: string; sql: string }>("select name, sql from sqlite_schema where type = 'trigger' order by rowid")
    .all();
  for (const { name } of guards) database.exec(`drop trigger ${name}`);
  work();
  for (const { sql } of guards) database.exec(sql);
}

/** Returns the number of rows. Calls `onRow` with the seq of each. */
export function copyLog(to: Database, rows: Iterable<LogRow>, onRow: (seq: number) => void): number {
  const { insertEvent } = tables(to);
  let count = 0;
  inTransactions(to, rows, (row) => {
    insertEvent(row);
    count += 1;
    onRow(row.seq);
  });
  return count;
}

/** Copies the anchors and what remains of archived rows. */
export function copyArchiveTables(from: Database, to: Database): void {
  const names = to
    .prepare<[], string>("select name from sqlite_schema where type = 'table' and name like 'archive%'")
    .pluck()
    .all();
  for (const name of names) {
    const columns = from.prepare(`select * from ${name}`).columns();
    const insert = to.prepare(`insert into ${name} values (${columns.map(() => "?").join(", ")})`);
    inTransactions(to, from.prepare<[], unknown[]>(`select * from ${name}`).raw().iterate(), (row) => insert.run(...row));
  }
}

/** Writes the tables derived from the rows, and the cursor. */
export function writeDerived(
  to: Database,
  { desired, status }: Projections,
  cursor: Cursor | null,
  repetitions: readonly Repetition[],
): void {
  const rows = tables(to);
  const write = to.transaction(() => {
    for (const peer of desired.values()) rows.upsertDesired(peer);
    for (const after of status.values()) rows.upsertStatus({ before: undefined, after });
    for (const repetition of repetitions) rows.addRepetition(repetition);
    if (cursor !== null) rows.setCursor(cursor);
  });
  write.immediate();
}

function inTransactions<Row>(database: Database, rows: Iterable<Row>, take: (row: Row) => void): void {
  const write = database.transaction((batch: readonly Row[]) => batch.forEach(take));
  let batch: Row[] = [];
  for (const row of rows) {
    batch.push(row);
    if (batch.length < ROWS_A_TRANSACTION) continue;
    write.immediate(batch);
    batch = [];
  }
  write.immediate(batch);
}
