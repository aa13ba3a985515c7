/** What a log had behind its proven rows, as far as anyone can tell. */

import type { Database } from "better-sqlite3";
import { readRows } from "../check/rows/row-reader.ts";
import type { LogRow } from "../model/log-entry.ts";

export interface LostRows {
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Messages of the broker's stream, which come again if it still holds them. */
  readonly fromStream: number;
  /** Messages of core NATS, which do not. */
  readonly byCore: number;
  /** What the daemon had observed or said itself. */
  readonly observed: number;
  /** Of which nothing can be read. */
  readonly unreadable: number;
}

/** Null where there is nothing behind `afterSeq`. `database` undefined: nothing of it can be read. */
export function lostRows(database: Database | undefined, afterSeq: number, lastSeq: number): LostRows | null {
  if (lastSeq <= afterSeq) return null;
  const counts = { fromStream: 0, byCore: 0, observed: 0 };
  for (const read of database === undefined ? [] : readRows(database, afterSeq, lastSeq))
    if (read.kind === "row") counts[kindOf(read.row)] += 1;
  const readable = counts.fromStream + counts.byCore + counts.observed;
  return { firstSeq: afterSeq + 1, lastSeq, ...counts, unreadable: lastSeq - afterSeq - readable };
}

function kindOf({ subject, streamSequence }: LogRow): "fromStream" | "byCore" | "observed" {
  if (subject === null) return "observed";
  return streamSequence === null ? "byCore" : "fromStream";
}
