/**
 * SQLite counts every change of a schema in the file's header (`schema_version`). The daemon keeps there too how many of them were its
 * own (`user_version`), so that a guard which somebody dropped and put back is not as if nothing had been.
 */
import type { Database } from "better-sqlite3";

export interface SchemaCounts {
  readonly changes: number;
  /** 0: nobody has counted yet, in a database of an earlier version. */
  readonly own: number;
}

export function schemaCounts(database: Database): SchemaCounts {
  return {
    changes: Number(database.pragma("schema_version", { simple: true })),
    own: Number(database.pragma("user_version", { simple: true })),
  };
}

/**
 * Runs `change`, which changes the schema, and counts its changes as ours; what others changed before stays visible. A crash in between
 * leaves a database that nobody has counted, which the next start does.
 */
export function countingOwnChanges(database: Database, change: () => void): void {
  const before = schemaCounts(database);
  const isOurs = before.own === 0 || before.own === before.changes;
  if (isOurs) database.pragma("user_version = 0");
  change();
  const { changes } = schemaCounts(database);
  database.pragma(`user_version = ${isOurs ? changes : before.own + changes - before.changes}`);
}

/** SQLite's own backup, by another program, begins the count anew: a schema of ours never comes about by a single change. */
export const COPIED = 1;

/** Takes the schema as it is where nobody has counted yet. */
export function countUncounted(database: Database): void {
  const { changes, own } = schemaCounts(database);
  if (own === 0 || (changes === COPIED && own !== COPIED)) database.pragma(`user_version = ${changes}`);
}
