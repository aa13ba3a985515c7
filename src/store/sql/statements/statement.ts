/**
 * Compiles drizzle queries once per process: drizzle provides the SQL and the types, and is not involved afterwards. Its overhead per
 * execution and per database would exceed SQLite's own time. Columns of this schema need no conversion, so nothing is lost.
 */
import type { Database } from "better-sqlite3";
import { eq, getTableColumns, Param, Placeholder, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/better-sqlite3";
import type { SQLiteColumn, SQLiteTable } from "drizzle-orm/sqlite-core";

/** Builds SQL without a database. */
export const orm = drizzle.mock();

interface Query {
  toSQL(): { readonly sql: string; readonly params: readonly unknown[] };
}

type Values = Readonly<Record<string, unknown>>;

/** Prepares `query`, to be run with the values of its placeholders. */
function writer<Row extends object>(query: Query): (database: Database) => (row: Row) => void {
  const { sql, params } = query.toSQL();
  const bind = binder(params);
  return (database) => {
    const statement = database.prepare(sql);
    return (row) => void statement.run(...bind(row as Values));
  };
}

export interface Reader<Row> {
  /** The first row. Leave out `limit` in the query: only one row is read anyway, and SQLite would compile a limit again each time. */
  get(values?: Values): Row | undefined;
  all(values?: Values): Row[];
}

/** Prepares `query`, which selects `columns`, given by property names in order. */
export function reader<Row>(query: Query & { all(): Row[] }, columns: object): (database: Database) => Reader<Row> {
  const { sql, params } = query.toSQL();
  const properties = Object.keys(columns);
  const bind = binder(params);
  const rowOf = (cells: readonly unknown[]): Row => {
    const row: Record<string, unknown> = {};
    for (const [index, property] of properties.entries()) row[property] = cells[index];
    return row as Row;
  };
  return (database) => {
    const statement = database.prepare<unknown[], unknown[]>(sql).raw();
    return {
      get: (values = {}) => {
        const cells = statement.get(...bind(values));
        return cells && rowOf(cells);
      },
      all: (values = {}) => statement.all(...bind(values)).map(rowOf),
    };
  };
}

/** Binds placeholders by name, null if no value is given; other parameters are constants of the query. */
function binder(params: readonly unknown[]): (values: Values) => unknown[] {
  const sources = params.map((param): unknown => (param instanceof Param ? param.value : param));
  const names = sources.map((source): string | undefined => (source instanceof Placeholder ? String(source.name) : undefined));
  return (values) => names.map((name, index) => (name === undefined ? sources[index] : (values[name] ?? null)));
}

/** Inserts a row of `table`. */
export function inserter<Table extends SQLiteTable>(table: Table): (database: Database) => (row: Table["$inferInsert"]) => void {
  return writer<Table["$inferInsert"]>(insertOf(table));
}

/** Inserts a row of `table`, or replaces the one with the same `key`. */
export function upserter<Table extends SQLiteTable>(
  table: Table,
  key: SQLiteColumn,
): (database: Database) => (row: Table["$inferInsert"]) => void {
  return writer<Table["$inferInsert"]>(insertOf(table).onConflictDoUpdate({ target: key, set: excluded(table) }));
}

/** Prepares each of `statements` in a database. */
export function prepareAll<Statements extends Readonly<Record<string, (database: Database) => unknown>>>(
  statements: Statements,
  database: Database,
) {
  const prepared = Object.entries(statements).map(([name, prepare]) => [name, prepare(database)]);
  return Object.fromEntries(prepared) as { [Name in keyof Statements]: ReturnType<Statements[Name]> };
}

/** True if `column` has the value of the placeholder `name`. */
export function equals(column: SQLiteColumn, name: string): SQL {
  return eq(column, sql.placeholder(name));
}

function insertOf(table: SQLiteTable) {
  return orm.insert(table).values(placeholders(table));
}

/** A placeholder for each column, named as its property. */
function placeholders(table: SQLiteTable): Readonly<Record<string, Placeholder>> {
  const properties = Object.keys(getTableColumns(table));
  return Object.fromEntries(properties.map((property): [string, Placeholder] => [property, sql.placeholder(property)]));
}

/** Sets every column to the value of the conflicting insert. */
function excluded(table: SQLiteTable) {
  const columns = Object.entries(getTableColumns(table));
  return Object.fromEntries(
    columns.map(([property, { name }]): [string, SQL] => [property, sql`excluded.${sql.identifier(name)}`]),
  );
}
