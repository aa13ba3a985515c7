/** Runs SQLite's own integrity check: pages, their trees, and indexes against their tables. */
import type { Database } from "better-sqlite3";
import type { Finding } from "../../model/finding.ts";
import { attempt } from "../rows/row-reader.ts";
import { integrityFinding, integrityLines } from "./integrity-messages.ts";
import { type SchemaEntry, schemaEntries } from "./schema-check.ts";

/** More than anyone reads. A file beyond repair can produce any number of similar messages. */
const MOST_MESSAGES = 1_000;

/** If the schema has a view, SQLite skips the list of free pages in its full check, but not when it checks sqlite_schema. */
const LOOKS = [MOST_MESSAGES, "sqlite_schema"];

export function integrityFindings(database: Database): readonly Finding[] {
  const messages = attempt(() =>
    LOOKS.flatMap((look) => database.prepare<[], string>(`pragma integrity_check(${look})`).pluck().all()),
  );
  if (!messages.ok) return [{ place: "pages", problem: `cannot be checked: ${messages.why}` }, ...treeFindings(database)];
  const nameOf = treeNames(database);
  return integrityLines(messages.value).map((line) => integrityFinding(line, nameOf));
}

/** Names of tables and indexes by their root page. */
function treeNames(database: Database): (rootPage: number) => string | undefined {
  const rows = attempt(() =>
    database.prepare<[], { rootpage: number; name: string }>("select rootpage, name from sqlite_schema where rootpage > 0").all(),
  );
  const names = new Map(rows.ok ? rows.value.map(({ rootpage, name }) => [rootpage, name]) : []);
  return (rootPage) => (rootPage === 1 ? "sqlite_schema" : names.get(rootPage));
}

/** Checks tables and indexes one by one, because SQLite's own check stops at the first one that it cannot read. */
function* treeFindings(database: Database): Generator<Finding> {
  const entries = attempt(() => schemaEntries(database));
  const trees = (entries.ok ? entries.value : []).filter(({ type }) => type === "table" || type === "index");
  for (const tree of trees) {
    const place = `${tree.type} ${tree.name}`;
    const read = attempt(() => database.prepare(scanOf(database, tree)).get());
    if (!read.ok) yield { place, problem: `cannot be read to its end: ${read.why}` };
    if (tree.type === "index") continue;
    const checked = attempt(() => database.prepare(`pragma integrity_check("${tree.name}")`).all());
    if (!checked.ok) yield { place, problem: `cannot be checked, or an index of it: ${checked.why}` };
  }
}

/** Counts the values of each column, which makes SQLite read all of this tree and no other. */
function scanOf(database: Database, { type, name, table, sql }: SchemaEntry): string {
  const columns = database
    .prepare<[string], string>(`select name from pragma_${type === "table" ? "table" : "index"}_info(?) where name is not null`)
    .pluck()
    .all(name);
  const counts = columns.map((column) => `count("${column}")`).join(", ");
  if (type === "table") return `select ${counts} from "${name}" not indexed`;
  const condition = /\bwhere\b.*$/is.exec(sql ?? "")?.[0] ?? "";
  return `select ${counts}, max(rowid) from "${table}" indexed by "${name}" ${condition}`;
}
