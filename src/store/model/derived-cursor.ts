/** The cursor that the rows alone prove. The stored cursor may be further, because irrelevant messages leave no row. Pure. */
import type { Cursor } from "./cursor.ts";
import { parseDedupeKey } from "./dedupe-key.ts";
import type { LogEntryRow } from "./log-entry.ts";

export interface DerivedCursor {
  /** Null if no row names it. */
  readonly stream: string | null;
  readonly created: string;
  /** The first sequence of the stream that the log followed; null if no row records it. */
  readonly firstSequence: number | null;
  /** The newest sequence in any row; one less than the first if there is none. */
  readonly sequence: number;
  /** Of the message at `sequence`; null if unknown. */
  readonly messageHash: string | null;
  /** The row that proves it. */
  readonly seq: number;
}

export type CursorColumns = Pick<
  LogEntryRow,
  "seq" | "type" | "reason" | "dedupeKey" | "stream" | "streamCreated" | "streamSequence" | "lastStreamSequence"
>;

/** The cursor after `row`, given the `cursor` before it; undefined if the log follows no stream. */
export function cursorAfter(cursor: DerivedCursor | undefined, row: CursorColumns): DerivedCursor | undefined {
  const { seq, type, reason, dedupeKey, streamSequence, lastStreamSequence } = row;
  if (streamSequence === null) return cursor;
  if (type === "LogRolledBack" || reason === "unproven") return cursor;
  // A recreated or rewound stream invalidates everything known about sequences.
  if (type === "DeliveryGap" && (reason === "recreated" || reason === "reused")) return undefined;
  if (type === "DeliveryGap") return cursor && furthest(cursor, { sequence: lastStreamSequence ?? 0, messageHash: null, seq });
  if (type === "DeliveryChanged") return followed(cursor, row, streamSequence);
  const key = dedupeKey === null ? undefined : parseDedupeKey(dedupeKey);
  if (key === undefined) return cursor;
  const message = { sequence: streamSequence, messageHash: key.hash, seq };
  if (cursor?.created === key.created) return furthest(cursor, message);
  return { stream: null, created: key.created, firstSequence: null, ...message };
}

function furthest(cursor: DerivedCursor, next: Pick<DerivedCursor, "sequence" | "messageHash" | "seq">): DerivedCursor {
  return next.sequence > cursor.sequence ? { ...cursor, ...next } : cursor;
}

/** Continues at the cursor, or starts at another sequence because the daemon found no cursor or another stream. */
function followed(
  cursor: DerivedCursor | undefined,
  { seq, stream, streamCreated: created }: CursorColumns,
  firstSequence: number,
): DerivedCursor | undefined {
  if (stream === null || created === null) return cursor;
  const identity = { stream, created };
  const before = { sequence: firstSequence - 1, messageHash: null, seq };
  const continues = cursor?.created === created && cursor.sequence < firstSequence;
  return continues ? { ...furthest(cursor, before), ...identity } : { ...identity, ...before, firstSequence };
}

/** Completes the derived cursor from `stored`, if that is of the same stream; null if a part remains unknown. */
export function completeCursor(derived: DerivedCursor | undefined, stored: Cursor | null): Cursor | null {
  if (derived === undefined) return null;
  const { created, sequence, messageHash } = derived;
  const same = stored?.created === created ? stored : undefined;
  const stream = derived.stream ?? same?.stream;
  const firstSequence = derived.firstSequence ?? same?.firstSequence;
  if (stream === undefined || firstSequence === undefined) return null;
  return { stream, created, firstSequence, sequence, messageHash };
}
