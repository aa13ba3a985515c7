/**
 * The cursor that follows from the rows alone. The stored one may be further: what was not meant for the log leaves no row. Pure.
 */
import type { Cursor } from "./cursor.ts";
import { parseDedupeKey } from "./dedupe-key.ts";
import type { LogEntryRow } from "./log-entry.ts";

export interface DerivedCursor {
  /** Null where no row names it. */
  readonly stream: string | null;
  readonly created: string;
  /** The first sequence that the log has followed the stream from; null where no row says so. */
  readonly firstSequence: number | null;
  /** The newest sequence that a row speaks of; one less than the first while there is none. */
  readonly sequence: number;
  /** Of the message at `sequence`, where that is known. */
  readonly messageHash: string | null;
  /** The row that says so. */
  readonly seq: number;
}

export type CursorColumns = Pick<
  LogEntryRow,
  "seq" | "type" | "reason" | "dedupeKey" | "stream" | "streamCreated" | "streamSequence" | "lastStreamSequence"
>;

/** The cursor behind `row`, given the `cursor` before it. Undefined: the log follows no stream. */
export function cursorAfter(cursor: DerivedCursor | undefined, row: CursorColumns): DerivedCursor | undefined {
  const { seq, type, reason, dedupeKey, streamSequence, lastStreamSequence } = row;
  if (streamSequence === null) return cursor;
  // From a recreated or reused stream on, what was known of sequences means nothing.
  if (type === "DeliveryGap" && reason !== "purged") return undefined;
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

/** It continues at the cursor, or starts at another sequence because the daemon found no cursor or another stream. */
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

/** As a cursor, where all of it is known. What the rows do not name is taken from `stored`, if that is of the same stream. */
export function completeCursor(derived: DerivedCursor | undefined, stored: Cursor | null): Cursor | null {
  if (derived === undefined) return null;
  const { created, sequence, messageHash } = derived;
  const same = stored?.created === created ? stored : undefined;
  const stream = derived.stream ?? same?.stream;
  const firstSequence = derived.firstSequence ?? same?.firstSequence;
  if (stream === undefined || firstSequence === undefined) return null;
  return { stream, created, firstSequence, sequence, messageHash };
}
