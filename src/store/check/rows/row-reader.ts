/** Reads the log of a file that may be damaged: reports what is unreadable, and reads the rest. */

import type { Database, Statement } from "better-sqlite3";
import { getTableColumns } from "drizzle-orm";
import type { SQLiteTable } from "drizzle-orm/sqlite-core";
import { messageOf, PartnerdError } from "../../../base/errors.ts";
import { type Finding, rowPlace } from "../../model/finding.ts";
import type { LogRow } from "../../model/log-entry.ts";
import { eventLog } from "../../schema/log.ts";

type ReadRow =
  | { readonly kind: "row"; readonly row: LogRow }
  | { readonly kind: "unreadable"; readonly fromSeq: number; readonly toSeq: number; readonly why: string };

/** Each page is a separate read, so that a running daemon can still checkpoint. */
const PAGE_ROWS = 200;

/** Reads the rows after `afterSeq` up to `lastSeq`, in order. Skips missing rows. */
export function* readRows(database: Database, afterSeq: number, lastSeq: number): Generator<ReadRow> {
  const select = `select ${columnsOf(eventLog)} from event_log where`;
  const page = database.prepare<[number, number, number], LogRow>(`${select} seq > ? and seq <= ? order by seq limit ?`);
  const single = database.prepare<[number], LogRow>(`${select} seq = ?`);
  for (let last = afterSeq; last < lastSeq; ) {
    const rows = attempt(() => page.all(last, lastSeq, PAGE_ROWS));
    if (rows.ok) {
      for (const row of rows.value) yield { kind: "row", row };
      if (rows.value.length < PAGE_ROWS) return;
      last = Math.max(last + 1, ...rows.value.map(({ seq }) => seq));
    } else {
      const until = Math.min(last + PAGE_ROWS, lastSeq);
      yield* oneByOne(single, last + 1, until);
      last = until;
    }
  }
}

function* oneByOne(single: Statement<[number], LogRow>, fromSeq: number, toSeq: number): Generator<ReadRow> {
  let run: { fromSeq: number; toSeq: number; why: string; code: string } | undefined;
  for (let seq = fromSeq; seq <= toSeq; seq++) {
    const row = attempt(() => single.get(seq));
    if (!row.ok && run?.code === row.code) {
      run.toSeq = seq;
      continue;
    }
    if (run !== undefined) yield unreadable(run);
    run = row.ok ? undefined : { fromSeq: seq, toSeq: seq, why: row.why, code: row.code };
    if (row.ok && row.value !== undefined) yield { kind: "row", row: row.value };
  }
  if (run !== undefined) yield unreadable(run);
}

function unreadable({
  fromSeq,
  toSeq,
  why,
}: {
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly why: string;
}): ReadRow {
  return { kind: "unreadable", fromSeq, toSeq, why };
}

/** All rows of a small table, under the property names of its columns. */
export function rowsOf<Row>(database: Database, name: string, table: SQLiteTable): Row[] {
  return database.prepare<[], Row>(`select ${columnsOf(table)} from ${name}`).all();
}

function columnsOf(table: SQLiteTable): string {
  return Object.entries(getTableColumns(table))
    .map(([property, { name }]) => `${name} as ${property}`)
    .join(", ");
}

export function unreadableRows({ fromSeq, toSeq, why }: ReadRow & { kind: "unreadable" }): Finding {
  return { place: rowPlace(fromSeq, toSeq), problem: `cannot be read: ${why}` };
}

type ReadResult<Value> =
  | { readonly ok: true; readonly value: Value }
  /** `why` leaves out the place if the error reports it separately. `code` tells kinds of failure apart. */
  | { readonly ok: false; readonly why: string; readonly code: string };

/** The result of `read`, or why it failed on a damaged file. */
export function attempt<Value>(read: () => Value): ReadResult<Value> {
  try {
    return { ok: true, value: read() };
  } catch (thrown) {
    const problem = thrown instanceof PartnerdError ? thrown.details.problem : undefined;
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
    return { ok: false, why: problem ?? messageOf(thrown), code };
  }
}

/** A check of the log's rows, called with each row in the order of `seq`. */
export interface RowCheck {
  /** Yields what is wrong with this row, given those before it. May throw for an impossible row. */
  row(row: LogRow): Iterable<Finding>;
  /** Called if the rows between the last one and the next are unreadable. */
  unreadable?(): void;
}
