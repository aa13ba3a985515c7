/** All prepared statements, with rows as the program's own types. Each runs within the caller's transaction. */
import type { Database } from "better-sqlite3";
import { type Projections, type ReplayStart, replayLog, rowDifferences } from "../../fold/replay.ts";
import { sentenceOf } from "../../model/finding.ts";
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
    /** Where a replay of the log starts: at its first row, or after the archives. Throws as archivedState does. */
    replayStart: (): ReplayStart => archived.startBehind(archived.newestAnchor()),
  };
}

/** Replays the rows before `beforeSeq`, or all of them. Throws as archivedState does. */
export function replayTables(rows: Tables, beforeSeq?: number): Projections & { readonly faults: readonly string[] } {
  const start = rows.replayStart();
  return replayLog(rows.log(start.seq, beforeSeq), start);
}

/** Differences between the log or the projections and a replay, one sentence each. Reads the whole log. */
export function projectionDifferences(rows: Tables): string[] {
  const { desired, status, faults } = replayTables(rows);
  const desiredRows = new Map(rows.desiredPeers().map((peer) => [peer.peerId, peer]));
  const statusRows = new Map(rows.statuses().map((peer) => [peer.peerId, peer]));
  const differences = [
    ...rowDifferences("desired_peers", desiredRows, desired),
    ...rowDifferences("peer_status", statusRows, status),
  ];
  return [...faults, ...differences.map(sentenceOf)];
}
