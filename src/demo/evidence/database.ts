/** Reads a node's database like any SQL client: read-only, through the documented views (docs/SQL.md), while the daemon runs. */
import { join } from "node:path";
import { PartnerdError } from "../../base/errors.ts";
import { printable } from "../../base/units.ts";
import { DATABASE_NAME } from "../../store/sql/data-directory.ts";
import { closeAtEnd } from "../../store/sql/open.ts";
import { openToRead } from "../../store/sql/open-to-read.ts";
import type { Name } from "../stage/state.ts";

type Cell = string | number | null;
type Row = Readonly<Record<string, Cell>>;

/** Runs `sql` on the database in `directory`. The caller states the row type. The views contain no blobs. */
export function query<Result = Row>(directory: string, sql: string, ...parameters: readonly Cell[]): readonly Result[] {
  const database = openToRead(join(directory, DATABASE_NAME));
  using _closing = closeAtEnd(database);
  return database.prepare<Cell[], Result>(sql).all(...parameters);
}

/** The single row of an aggregate without `group by`, which exists even if the table is empty. */
export function aggregate<Result>(directory: string, sql: string, ...parameters: readonly Cell[]): Result {
  const [row] = query<Result>(directory, sql, ...parameters);
  if (row === undefined) throw new PartnerdError("internal_error", `no row from: ${sql}`);
  return row;
}

/** The query for a peer's audit trail, in the form that is shown to the user. */
export function auditSql(name: Name): string {
  return `select seq, at, summary from peer_history where name = '${name}' order by seq`;
}

export interface AuditRow {
  readonly seq: string;
  readonly at: string;
  readonly summary: string;
}

/** The audit trail of a peer in the database in `directory`, oldest first. */
export function auditTrail(directory: string, name: Name): readonly AuditRow[] {
  return query(directory, auditSql(name)).map(({ seq = null, at = null, summary = null }) => ({
    seq: String(seq),
    at: String(at),
    summary: printable(String(summary)),
  }));
}
