/** The audit trail of one peer, as anybody could ask for it with any SQLite client. */
import { table } from "../cli/table.ts";
import { query } from "./database.ts";
import type { Name } from "./state.ts";

/** The statement as it is shown, and as it is run. */
export function auditSql(name: Name): string {
  return `select seq, at, summary from peer_history where name = '${name}' order by seq`;
}

/** What the database in `directory` tells of that peer, as a table. */
export function auditTrail(directory: string, name: Name): string {
  const rows = query(directory, auditSql(name)).map((row) => ["seq", "at", "summary"].map((column) => String(row[column])));
  return table(["SEQ", "AT", "SUMMARY"], rows);
}
