/** Reads a node's database as any SQL client may while its daemon runs: read-only, through the documented views (docs/SQL.md). */
import { join } from "node:path";
import Database from "better-sqlite3";
import { printable } from "../../base/units.ts";
import { DATABASE_NAME } from "../../store/sql/data-directory.ts";
import { closeAtEnd } from "../../store/sql/open.ts";
import type { Name } from "../stage/state.ts";

export type Cell = string | number | null;
export type Row = Readonly<Record<string, Cell>>;

/** The rows that `sql` gives with `parameters` on the database in `directory`. Blobs do not occur in the views. */
export function query(directory: string, sql: string, ...parameters: readonly Cell[]): readonly Row[] {
  const database = new Database(join(directory, DATABASE_NAME), { readonly: true, fileMustExist: true });
  using _closing = closeAtEnd(database);
  return database.prepare<Cell[], Row>(sql).all(...parameters);
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
