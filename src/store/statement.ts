/**
 * drizzle's queries, compiled: it writes the SQL and knows the types, and is then out of the way. Per execution it would take longer
 * than SQLite. The columns of this schema are stored as they are, so nothing is lost.
 */
import type { Database } from "better-sqlite3";
import { Param, Placeholder } from "drizzle-orm";

interface Query {
  toSQL(): { readonly sql: string; readonly params: readonly unknown[] };
}

type Values = Readonly<Record<string, unknown>>;

/** Runs `query` with the values of its placeholders. */
export function writer<Row extends object>(database: Database, query: Query): (row: Row) => void {
  const { sql, params } = query.toSQL();
  const statement = database.prepare(sql);
  const bind = binder(params);
  return (row) => void statement.run(...bind(row as Values));
}

export interface Reader<Row> {
  get(values: Values): Row | undefined;
  all(values: Values): Row[];
}

/** Reads the rows of `query`, whose selected `columns` are given by the names of their properties, in order. */
export function reader<Row>(database: Database, query: Query & { all(): Row[] }, columns: object): Reader<Row> {
  const { sql, params } = query.toSQL();
  const statement = database.prepare<unknown[], unknown[]>(sql).raw();
  const properties = Object.keys(columns);
  const bind = binder(params);
  const rowOf = (cells: readonly unknown[]): Row => {
    const row: Record<string, unknown> = {};
    for (const [index, property] of properties.entries()) row[property] = cells[index];
    return row as Row;
  };
  return {
    get: (values) => {
      const cells = statement.get(...bind(values));
      return cells && rowOf(cells);
    },
    all: (values) => statement.all(...bind(values)).map(rowOf),
  };
}

/** A placeholder takes its value by name, null where none is given; anything else was written into the query. */
function binder(params: readonly unknown[]): (values: Values) => unknown[] {
  const sources = params.map((param) => (param instanceof Param ? param.value : param));
  const names = sources.map((source) => (source instanceof Placeholder ? source.name : undefined));
  return (values) => names.map((name, index) => (name === undefined ? sources[index] : (values[name] ?? null)));
}
