/** The rows that `reinterpret` appended for archived messages: the only ones left that say what those messages mean. */
import { and, asc, gt, inArray, lte } from "drizzle-orm";
import type { BetterSQLite3Database } from "drizzle-orm/better-sqlite3";
import type { LogRow } from "../model/log-entry.ts";
import { eventLog } from "../schema/log.ts";

/** In order. `archivedUntil` is the seq of the last archived row. */
export function restatedRows(orm: BetterSQLite3Database, archivedUntil: number): readonly LogRow[] {
  const isRestated = and(
    inArray(eventLog.type, ["PeerDesired", "PeerRemoved"]),
    gt(eventLog.seq, archivedUntil),
    lte(eventLog.causeSeq, archivedUntil),
  );
  return orm.select().from(eventLog).where(isRestated).orderBy(asc(eventLog.seq)).all();
}
