/** Up to where the log follows the broker's stream. */

import type { ingestCursor } from "../schema/log.ts";
import { checksumOf } from "./checksum.ts";

/** A stream of the broker, for as long as it lives: deleted and recreated it has the same name, and is another. */
export interface BrokerStream {
  readonly stream: string;
  /** When the broker made it, as the broker writes it (RFC 3339, nanoseconds). */
  readonly created: string;
}

/** Up to and with `sequence` the log has everything of this stream that it should have, recorded gaps aside. */
export interface BrokerPosition extends BrokerStream {
  readonly sequence: number;
  /** The hash of the message at `sequence` (dedupe-key.ts); null where it was never seen. */
  readonly messageHash: string | null;
}

export interface Cursor extends BrokerPosition {
  /** The first sequence of this stream that the log has followed it from. */
  readonly firstSequence: number;
}

export type CursorRow = typeof ingestCursor.$inferSelect;

export function isSameStream(one: BrokerStream, other: BrokerStream): boolean {
  return one.stream === other.stream && one.created === other.created;
}

/** The one row of its table. */
export function cursorRowOf({ stream, created, firstSequence, sequence, messageHash }: Cursor): CursorRow {
  const row = { id: 1, stream, created, firstSequence, sequence, messageHash };
  return { ...row, checksum: cursorChecksum(row) };
}

export function cursorOf({ stream, created, firstSequence, sequence, messageHash }: CursorRow): Cursor {
  return { stream, created, firstSequence, sequence, messageHash };
}

/** What the row's checksum has to be. */
export function cursorChecksum(row: Omit<CursorRow, "checksum">): string {
  return checksumOf([row.id, row.stream, row.created, row.firstSequence, row.sequence, row.messageHash]);
}
