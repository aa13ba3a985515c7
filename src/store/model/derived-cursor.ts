/**
 * Where in the broker's stream the log stands, by its rows alone. The cursor may be further: what was not meant for the log leaves no
 * row. Pure.
 */
import type { StreamIdentity } from "./cursor.ts";
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

export type PlacedRow = Pick<
  LogEntryRow,
  "seq" | "type" | "reason" | "message" | "dedupeKey" | "streamSequence" | "lastStreamSequence"
>;

/** What a DeliveryChanged says of the stream that is followed from `sequence` on. */
export function followedMessage({ stream, created }: StreamIdentity, sequence: number): string {
  return `stream ${stream}, made at ${created}, is followed from sequence ${sequence}`;
}

function followedStream(message: string | null): StreamIdentity | undefined {
  const { stream, created } =
    /^stream (?<stream>\S+), made at (?<created>\S+), is followed from /.exec(message ?? "")?.groups ?? {};
  return stream === undefined || created === undefined ? undefined : { stream, created };
}

/** Where the log stands after `row`, which follows a row after which it stood at `place`. Undefined: in no stream. */
export function placeAfter(place: DerivedCursor | undefined, row: PlacedRow): DerivedCursor | undefined {
  const { seq, type, reason, dedupeKey, streamSequence, lastStreamSequence } = row;
  if (streamSequence === null) return place;
  // From a recreated or reused stream on, what was known of sequences means nothing.
  if (type === "DeliveryGap" && reason !== "purged") return undefined;
  if (type === "DeliveryGap") return place && furthest(place, { sequence: lastStreamSequence ?? 0, messageHash: null, seq });
  if (type === "DeliveryChanged") return followed(place, row, streamSequence);
  const key = dedupeKey === null ? undefined : parseDedupeKey(dedupeKey);
  if (key === undefined) return place;
  const message = { sequence: streamSequence, messageHash: key.hash, seq };
  if (place?.created === key.created) return furthest(place, message);
  return { stream: null, created: key.created, firstSequence: null, ...message };
}

function furthest(place: DerivedCursor, next: Pick<DerivedCursor, "sequence" | "messageHash" | "seq">): DerivedCursor {
  return next.sequence > place.sequence ? { ...place, ...next } : place;
}

/** It goes on where it stood, or begins at another place: the daemon has found no cursor, or another stream. */
function followed(
  place: DerivedCursor | undefined,
  { seq, message }: PlacedRow,
  firstSequence: number,
): DerivedCursor | undefined {
  const identity = followedStream(message);
  if (identity === undefined) return place;
  const before = { sequence: firstSequence - 1, messageHash: null, seq };
  const goesOn = place?.created === identity.created && place.sequence < firstSequence;
  return goesOn ? { ...furthest(place, before), ...identity } : { ...identity, ...before, firstSequence };
}
