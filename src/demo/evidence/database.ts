/** Reads a node's database as any SQL client may while its daemon runs: read-only, through the documented views (docs/SQL.md). */
import { join } from "node:path";
import Database from "better-sqlite3";
import { DATABASE_NAME } from "../../store/sql/database-file.ts";

export type Cell = string | number | null;
export type Row = Readonly<Record<string, Cell>>;

/** The rows that `sql` gives with `parameters` on the database in `directory`. Blobs do not occur in the views. */
export function query(directory: string, sql: string, ...parameters: readonly Cell[]): readonly Row[] {
  const database = new Database(join(directory, DATABASE_NAME), { readonly: true, fileMustExist: true });
  try {
    return database.prepare<Cell[], Row>(sql).all(...parameters);
  } finally {
    database.close();
  }
}
