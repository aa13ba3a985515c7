/** The prepared statements over the tables, with rows as the program's own types. Each runs within its caller's transaction. */
import type { Database } from "better-sqlite3";
import type { ReplayStart } from "../../fold/replay.ts";
import { archiveRows } from "./archive-rows.ts";
import { deliveryRows } from "./delivery-rows.ts";
import { eventRows } from "./event-rows.ts";
import { projectionRows } from "./projection-rows.ts";

export type Tables = ReturnType<typeof tables>;

export function tables(database: Database) {
  const archived = archiveRows(database);
  return {
    ...archived,
    ...eventRows(database, archived),
    ...deliveryRows(database, archived),
    ...projectionRows(database),
    /** Where a replay of the log begins: at its first row, or behind what was archived. Throws as archivedState does. */
    replayStart: (): ReplayStart => archived.startBehind(archived.newestAnchor()),
  };
}
