/** Checks the schema: tables, indexes, guards and views as the migrations create them, and nothing else. */
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

/** `includes` limits the comparison to some entries. */
export function* schemaFindings(
  database: Database.Database,
  includes: (entry: SchemaEntry) => boolean = () => true,
): Generator<Finding> {
  const found = attempt(() => schemaEntries(database));
  if (!found.ok) {
    yield { place: "sqlite_schema", problem: `cannot be read: ${found.why}` };
    return;
  }
  const byKey = Map.groupBy(found.value, keyOf);
  for (const [key, entry] of migratedSchema()) {
    if (!includes(entry)) continue;
    const [other, ...more] = byKey.get(key) ?? [];
    const place = `${entry.type} ${entry.name}`;
    if (more.length > 0) yield { place, problem: `there are ${more.length + 1} of this name` };
    if (other === undefined) yield { place, problem: "missing" };
    else if (other.sql !== entry.sql || other.table !== entry.table)
      yield { place, problem: "differs from what the migrations create" };
  }
  for (const entry of found.value.filter(includes))
    if (!migratedSchema().has(keyOf(entry)) && !isOfLitestream(entry.type, entry.name))
      yield { place: `${entry.type} ${entry.name}`, problem: "was not created by oc-partnerd" };
}

/** Litestream keeps two tables of its own in a database that it replicates. A trigger on them is still a finding. */
function isOfLitestream(type: string, name: string): boolean {
  return type === "table" && (name === "_litestream_seq" || name === "_litestream_lock");
}

/** The findings about triggers alone: one that was changed or added can write what no event says. */
export function triggerFindings(database: Database.Database): Iterable<Finding> {
  return schemaFindings(database, ({ type }) => type === "trigger");
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
      yield { place: `__drizzle_migrations row ${index + 1}`, problem: "differs from this oc-partnerd's migration" };
  }
}

export function* applicationIdFindings(database: Database.Database): Generator<Finding> {
  const found = database.pragma("application_id", { simple: true });
  if (found !== APPLICATION_ID) yield { place: "file header", problem: `application_id is ${found}, expected ${APPLICATION_ID}` };
}

/**
 * Throws if there is no schema to compare with: `database_failed` if the database is empty, another program's or has an older schema,
 * `database_newer` if it has a newer one, and `database_retired` if it is from before the first release.
 */
export function refuseOtherVersion(database: Database.Database, file: string): void {
  if (database.prepare("select 1 from sqlite_schema where name = 'event_log'").get() === undefined) refuseEmpty(database, file);
  const applied = attempt(() => appliedMigrations(database));
  if (!applied.ok) return;
  refuseRetired(applied.value, file);
  const known = [...knownMigrations().keys()];
  const inCommon = Math.min(known.length, applied.value.length);
  const isOneLine = known.slice(0, inCommon).every((hash, index) => hash === applied.value[index]);
  // A migrations table that lost rows does not make the schema older.
  const isThisSchema = applied.value.length < known.length && schemaFindings(database).next().done === true;
  if (isOneLine && inCommon > 0 && !isThisSchema) refuseOtherSchema(database, file);
}

let migrated: ReadonlyMap<string, SchemaEntry> | undefined;

/** A trigger may have the name of a table. */
const keyOf = ({ type, name }: SchemaEntry): string => `${type} ${name}`;

/** The expected schema, by keyOf. Computed once, by applying the migrations in memory. */
function migratedSchema(): ReadonlyMap<string, SchemaEntry> {
  if (migrated !== undefined) return migrated;
  const database = new Database(":memory:");
  using _closing = closeAtEnd(database);
  applyMigrations(database);
  migrated = new Map(schemaEntries(database).map((entry) => [keyOf(entry), entry]));
  return migrated;
}

export function schemaEntries(database: Database.Database): readonly SchemaEntry[] {
  return database.prepare<[], SchemaEntry>("select type, name, tbl_name as 'table', sql from sqlite_schema").all();
}
