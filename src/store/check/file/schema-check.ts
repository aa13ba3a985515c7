/** The schema: tables, indexes, guards and views as the migrations make them, and nothing else. */
import Database from "better-sqlite3";
import type { Finding } from "../../model/finding.ts";
import { appliedMigrations, applyMigrations, knownMigrations, refuseOtherSchema, refuseRetired } from "../../sql/migrations.ts";
import { APPLICATION_ID, closeAtEnd, refuseEmpty } from "../../sql/open.ts";
import { attempt } from "../rows/row-reader.ts";

export interface SchemaEntry {
  readonly type: string;
  readonly name: string;
  readonly table: string;
  readonly sql: string | null;
}

export function* schemaFindings(database: Database.Database): Generator<Finding> {
  const found = attempt(() => schemaEntries(database));
  if (!found.ok) {
    yield { place: "sqlite_schema", problem: `cannot be read: ${found.why}` };
    return;
  }
  const byName = new Map(found.value.map((entry) => [entry.name, entry]));
  for (const [name, entry] of migratedSchema()) {
    const other = byName.get(name);
    const place = `${entry.type} ${name}`;
    if (other === undefined) yield { place, problem: "missing" };
    else if (other.sql !== entry.sql || other.type !== entry.type || other.table !== entry.table)
      yield { place, problem: "is not what the migrations made" };
  }
  for (const { type, name } of found.value)
    if (!migratedSchema().has(name)) yield { place: `${type} ${name}`, problem: "is not of oc-partnerd's making" };
}

export function* migrationFindings(database: Database.Database): Generator<Finding> {
  const select = "select rowid, id, hash, created_at as createdAt from __drizzle_migrations order by rowid";
  const rows = attempt(() => database.prepare<[], object>(select).all());
  if (!rows.ok) {
    yield { place: "__drizzle_migrations", problem: `cannot be read: ${rows.why}` };
    return;
  }
  const wanted = [...knownMigrations()].map(([hash, createdAt], index) => ({ rowid: index + 1, id: null, hash, createdAt }));
  for (let index = 0; index < Math.max(wanted.length, rows.value.length); index++) {
    if (JSON.stringify(rows.value[index]) !== JSON.stringify(wanted[index]))
      yield { place: `__drizzle_migrations row ${index + 1}`, problem: "is not that of this oc-partnerd's migration" };
  }
}

export function* applicationIdFindings(database: Database.Database): Generator<Finding> {
  const found = database.pragma("application_id", { simple: true });
  if (found !== APPLICATION_ID)
    yield { place: "file header", problem: `application_id is ${found}, has to be ${APPLICATION_ID}` };
}

/**
 * Throws `database_failed` where the database is another program's, empty, or of an older schema, `database_newer` where it is of a
 * newer one, and `database_retired` where it is from before the first release: there is nothing to compare it with.
 */
export function refuseOtherVersion(database: Database.Database, file: string): void {
  if (database.prepare("select 1 from sqlite_schema where name = 'event_log'").get() === undefined) refuseEmpty(database, file);
  const applied = attempt(() => appliedMigrations(database));
  if (!applied.ok) return;
  refuseRetired(applied.value, file);
  const known = [...knownMigrations().keys()];
  const inCommon = Math.min(known.length, applied.value.length);
  const isOneLine = known.slice(0, inCommon).every((hash, index) => hash === applied.value[index]);
  // Rows that are gone from the list do not make an older schema.
  const isThisSchema = applied.value.length < known.length && schemaFindings(database).next().done === true;
  if (isOneLine && inCommon > 0 && !isThisSchema) refuseOtherSchema(database, file);
}

let migrated: ReadonlyMap<string, SchemaEntry> | undefined;

/** By name. The migrations come with the program, and are applied once. */
function migratedSchema(): ReadonlyMap<string, SchemaEntry> {
  if (migrated !== undefined) return migrated;
  const database = new Database(":memory:");
  using _closing = closeAtEnd(database);
  applyMigrations(database);
  migrated = new Map(schemaEntries(database).map((entry) => [entry.name, entry]));
  return migrated;
}

export function schemaEntries(database: Database.Database): readonly SchemaEntry[] {
  return database.prepare<[], SchemaEntry>("select type, name, tbl_name as 'table', sql from sqlite_schema").all();
}
