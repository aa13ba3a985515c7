/** The log of a database, folded in memory, and how its tables differ from that. */
import { type Projections, replayLog, tableDifferences } from "../fold/replay.ts";
import type { Tables } from "./statements/tables.ts";

/** What the rows before `beforeSeq`, or all of them, come to. Throws as archivedState does. */
export function replayTables(rows: Tables, beforeSeq?: number): Projections & { readonly faults: readonly string[] } {
  const start = rows.replayStart();
  return replayLog(rows.log(start.seq, beforeSeq), start);
}

/** How the log and the projections differ from a replay, one sentence each. Reads the whole log. */
export function projectionDifferences(rows: Tables): string[] {
  const { desired, status, faults } = replayTables(rows);
  const desiredRows = new Map(rows.desiredPeers().map((peer) => [peer.peerId, peer]));
  const statusRows = new Map(rows.statuses().map((peer) => [peer.peerId, peer]));
  return [
    ...faults,
    ...tableDifferences("desired_peers", desiredRows, desired),
    ...tableDifferences("peer_status", statusRows, status),
  ];
}
