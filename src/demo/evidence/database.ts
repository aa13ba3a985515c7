/** Reads a node's database as any SQL client may while its daemon runs: read-only, through the documented views (docs/SQL.md). */
import { join } from "node:path";
import Database from "better-sqlite3";
import { PartnerdError } from "../../base/errors.ts";
import { printable } from "../../base/units.ts";
import { DATABASE_NAME } from "../../store/sql/data-directory.ts";
import { closeAtEnd } from "../../store/sql/open.ts";
import type { Name } from "../stage/state.ts";

type Cell = string | number | null;
type Row = Readonly<Record<string, Cell>>;

/** The rows that `sql` gives on the database in `directory`; the caller states their type. Blobs do not occur in the views. */
export function query<Result = Row>(directory: string, sql: string, ...parameters: readonly Cell[]): readonly Result[] {
  const database = new Database(join(directory, DATABASE_NAME), { readonly: true, fileMustExist: true });
  using _closing = closeAtEnd(database);
  return database.prepare<Cell[], Result>(sql).all(...parameters);
}

/** The one row of an aggregate without `group by`, which has a row for an empty table too. */
export function aggregate<Result>(directory: string, sql: string, ...parameters: readonly Cell[]): Result {
  const [row] = query<Result>(directory, sql, ...parameters);
  if (row === undefined) throw new PartnerdError("internal_error", `no row from: ${sql}`);
  return row;
}

/** The audit trail of one peer, as anybody could ask for it with any SQLite client: the statement as it is shown, and as it is run. */
export function auditSql(name: Name): string {
  return `select seq, at, summary from peer_history where name = '${name}' order by seq`;
}

export interface AuditRow {
  readonly seq: string;
  readonly at: string;
  readonly summary: string;
}

/** What the database in `directory` tells of that peer, oldest first. */
export function auditTrail(directory: string, name: Name): readonly AuditRow[] {
  return query(directory, auditSql(name)).map(({ seq = null, at = null, summary = null }) => ({
    seq: String(seq),
    at: String(at),
    summary: printable(String(summary)),
  }));
}
