/** Aligns the log with the stream before reading resumes: appends what is missing or has changed, and moves the cursor. */
import type { Logger } from "../../base/log.ts";
import type { DeliveryEvent } from "../../events/types.ts";
import { type Cursor, isSameStream } from "../../store/model/cursor.ts";
import type { LogEntry } from "../../store/model/log-entry.ts";
import type { Store } from "../../store/store.ts";
import { type AtCursor, align } from "./align.ts";
import type { BrokerLink, BrokerStreamState } from "./broker-port.ts";

/** Compares the message that the log has at its cursor with the one that the stream holds there now. */
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
  readonly logger: Logger;
  /** Called with each row that is appended. */
  readonly onAppended: (entry: LogEntry<DeliveryEvent>) => void;
}

/** Returns the cursor after which reading resumes. */
export function alignLog(stream: BrokerStreamState, atCursor: AtCursor, deps: AlignmentDependencies): Cursor {
  const { log, logger, onAppended } = deps;
  const { events, cursor } = align(stream, log.cursor(), atCursor, log.delivery()?.reason);
  if (events.length === 0) return cursor;
  for (const entry of log.appendDelivery(events, cursor, stream.lastSequence)) {
    const { event, seq } = entry;
    if (event.type === "DeliveryGap") logger.error({ seq, reason: event.reason }, event.message);
    else logger.info({ seq }, event.message);
    onAppended(entry);
  }
  return cursor;
}
