/** The audit trail of one peer, as anybody could ask for it with any SQLite client. */
import { printable } from "../../base/printable.ts";
import type { Name } from "../state.ts";
import { query } from "./database.ts";

/** The statement as it is shown, and as it is run. */
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
