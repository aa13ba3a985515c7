/** Which tables and indexes of a damaged file break SQLite's own look at it, which ends with the first of them. */
import type { Database } from "better-sqlite3";
import type { Finding } from "../../model/finding.ts";
import { attempt } from "../rows/row-reader.ts";
import { type SchemaEntry, schemaEntries } from "./schema-check.ts";

export function* treeFindings(database: Database): Generator<Finding> {
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

/** Counts the values of each column, for which SQLite has to read all of them, out of this tree and no other. */
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
