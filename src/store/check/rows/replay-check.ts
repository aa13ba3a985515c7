/** Checks the projection tables against a replay of the log. */
import type { Database } from "better-sqlite3";
import { getTableColumns } from "drizzle-orm";
import type { SQLiteTable } from "drizzle-orm/sqlite-core";
import { type Replay, rowDifferences, startReplay } from "../../fold/replay.ts";
import { statusRowOf } from "../../fold/status.ts";
import { type Finding, rowPlace } from "../../model/finding.ts";
import { desiredPeer, openStream, peerStatusRow } from "../../schema/log.ts";
import type { RowCheck } from "./row-reader.ts";
import { attempt, rowsOf } from "./row-reader.ts";

export interface ReplayCheck extends RowCheck {
  /** Compares the tables of `database` with the replay so far. Call in the transaction that read the last row. */
  tables(database: Database): Iterable<Finding>;
}

export function replayCheck(replay: Replay = startReplay()): ReplayCheck {
  let isWhole = true;
  return {
    row(row) {
      // With a gap in the log, every later row could be a finding.
      if (!isWhole) return [];
      const taken = attempt(() => replay.take(row));
      if (taken.ok) return taken.value;
      isWhole = false;
      return [{ place: rowPlace(row.seq), problem: `cannot be replayed: ${taken.why}` }];
    },
    unreadable() {
      isWhole = false;
    },
    *tables(database) {
      if (!isWhole) {
        yield { place: "projections", problem: "cannot be compared with a replay, since rows of the log cannot be read" };
        return;
      }
      const statuses = [...replay.status.values()];
      const streams = statuses.flatMap(({ peerId, openStreams }) => openStreams.map((stream) => ({ ...stream, peerId })));
      yield* tableFindings(database, "desired_peer", desiredPeer, "peerId", [...replay.desired.values()]);
      yield* tableFindings(database, "peer_status_row", peerStatusRow, "peerId", statuses.map(statusRowOf));
      yield* tableFindings(database, "open_stream row", openStream, "seq", streams);
    },
  };
}

function tableFindings<Key extends string, Row extends Readonly<Record<Key, string | number>>>(
  database: Database,
  place: string,
  table: SQLiteTable,
  key: Key,
  expected: readonly Row[],
): readonly Finding[] {
  const [name = place] = place.split(" ");
  const found = attempt(() => rowsOf<Row>(database, name, table));
  if (!found.ok) return [{ place: name, problem: `cannot be read: ${found.why}` }];
  const byKey = (rows: readonly Row[]) => new Map(rows.map((row) => [row[key], row]));
  const twice =
    found.value.length === byKey(found.value).size ? [] : [{ place: name, problem: `has two rows with the same ${key}` }];
  const byColumn = (rows: readonly Row[]) => new Map(rows.map((row) => [row[key], columnsOf(table, row)]));
  return [...twice, ...rowDifferences(place, byColumn(found.value), byColumn(expected))];
}

/** The row under the names that its columns have in the database. */
function columnsOf(table: SQLiteTable, row: object): object {
  const names = new Map(Object.entries(getTableColumns(table)).map(([property, { name }]) => [property, name]));
  return Object.fromEntries(Object.entries(row).map(([property, value]) => [names.get(property) ?? property, value]));
}
