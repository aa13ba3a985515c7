/** The position in the broker stream that the archived rows prove. */
import type { Database } from "better-sqlite3";
import type { Anchor } from "../model/anchor.ts";
import { cursorAfter, type DerivedCursor } from "../model/derived-cursor.ts";
import { archiveRows } from "../sql/statements/archive-rows.ts";

/** The cursor at the end of the newest archive, `anchor`; undefined if the log followed no stream by then. */
export function archivedCursor(database: Database, { lastSeq }: Anchor): DerivedCursor | undefined {
  const deliveries = archiveRows(database).archivedDeliveries();
  const cursor = deliveries.reduce<DerivedCursor | undefined>((before, row) => cursorAfter(before, row), undefined);
  return cursor && furthest(database, cursor, lastSeq);
}

/**
 * Archived messages may be further along the stream than the rows about the stream itself. Those before the newest of these rows may
 * be from before a rewind, which reused their sequences.
 */
function furthest(database: Database, cursor: DerivedCursor, lastSeq: number): DerivedCursor {
  const newest = `
    select max(stream_sequence) from (
      select stream_sequence, stream_created, stream_seq from archived_peer
      union all select stream_sequence, stream_created, stream_seq from archived_resource
    ) where stream_created = ? and stream_seq > ?`;
  const sequence = database.prepare<[string, number], number | null>(newest).pluck().get(cursor.created, cursor.seq) ?? 0;
  return sequence > cursor.sequence ? { ...cursor, sequence, messageHash: null, seq: lastSeq } : cursor;
}
