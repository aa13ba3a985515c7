/** The log's position in the broker stream. */

import type { ingestCursor } from "../schema/log.ts";
import { checksumOf } from "./checksum.ts";

/** A broker stream, identified by name and creation time: a stream that was recreated under the same name is another one. */
export interface BrokerStream {
  readonly stream: string;
  /** Creation time, as the broker spells it (RFC 3339, nanoseconds). */
  readonly created: string;
}

/** The log has every relevant message of this stream up to and including `sequence`, except for recorded gaps. */
export interface BrokerPosition extends BrokerStream {
  readonly sequence: number;
  /** The hash of the message at `sequence` (dedupe-key.ts); null if unknown. */
  readonly messageHash: string | null;
}

export interface Cursor extends BrokerPosition {
  /** The first sequence of this stream that the log followed. */
  readonly firstSequence: number;
}

export type CursorRow = typeof ingestCursor.$inferSelect;

export function isSameStream(one: BrokerStream, other: BrokerStream): boolean {
  return one.stream === other.stream && one.created === other.created;
}

/** The only row of its table. */
export function cursorRowOf({ stream, created, firstSequence, sequence, messageHash }: Cursor): CursorRow {
  const row = { id: 1, stream, created, firstSequence, sequence, messageHash };
  return { ...row, checksum: cursorChecksum(row) };
}

export function cursorOf({ stream, created, firstSequence, sequence, messageHash }: CursorRow): Cursor {
  return { stream, created, firstSequence, sequence, messageHash };
}

/** The expected checksum of the row. */
export function cursorChecksum(row: Omit<CursorRow, "checksum">): string {
  return checksumOf([row.id, row.stream, row.created, row.firstSequence, row.sequence, row.messageHash]);
}
