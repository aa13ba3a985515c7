/** Brings the log in line with the broker stream before reading resumes: appends gaps and changes, and moves the cursor. */
import { type Cursor, isSameStream } from "../../store/model/cursor.ts";
import type { Store } from "../../store/store.ts";
import { type AtCursor, align } from "./align.ts";
import type { BrokerLink, BrokerStreamState } from "./broker-port.ts";

/** Compares the message at the log's cursor with the one that the stream holds there now. */
export async function lookAtCursor(
  link: Pick<BrokerLink, "hashAt">,
  stream: BrokerStreamState,
  cursor: Cursor | undefined,
): Promise<AtCursor> {
  if (cursor === undefined || !isSameStream(stream, cursor)) return "unknown";
  const isHeld = cursor.sequence >= stream.firstSequence && cursor.sequence <= stream.lastSequence;
  const found = isHeld ? await link.hashAt(cursor.sequence) : undefined;
  if (found === undefined) return "unknown";
  // The stream held nothing at the cursor when the log began to follow it, so a message there now was stored after a rewind.
  if (cursor.messageHash === null) return cursor.sequence < cursor.firstSequence ? "other" : "unknown";
  return found === cursor.messageHash ? "same" : "other";
}

interface AlignmentDependencies {
  readonly log: Pick<Store, "cursor" | "delivery" | "appendDelivery">;
}

/** Returns the cursor after which reading continues. */
export function alignLog(stream: BrokerStreamState, atCursor: AtCursor, deps: AlignmentDependencies): Cursor {
  const { log } = deps;
  const { events, cursor } = align(stream, log.cursor(), atCursor, log.delivery()?.reason);
  if (events.length > 0) log.appendDelivery(events, cursor, stream.lastSequence);
  return cursor;
}
