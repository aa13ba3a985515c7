/** Appends received messages and delivery changes. Call only within a write transaction. */
import type { CloneSeen, DeliveryEvent } from "../../events/delivery/delivery-events.ts";
import { type BrokerPosition, type Cursor, isSameStream } from "../model/cursor.ts";
import type { LogEntry } from "../model/log-entry.ts";
import type { Tables } from "../sql/statements/tables.ts";
import { type Append, OBSERVED } from "./append.ts";
import type { CommittedState } from "./committed-state.ts";
import { CoreDedupe, type IngestItem, receive } from "./receive.ts";

export class DeliveryAppender {
  readonly #rows: Tables;
  readonly #committed: CommittedState;
  readonly #append: Append;
  readonly #coreDedupe = new CoreDedupe();
  /** A rewound broker stream reuses sequences up to here. */
  #reusedUpTo: number;

  constructor(rows: Tables, committed: CommittedState, append: Append) {
    this.#rows = rows;
    this.#committed = committed;
    this.#append = append;
    this.#reusedUpTo = newestReused(rows.deliveries().map(({ event }) => event));
  }

  /** As Store.appendReceived. */
  received(batch: readonly IngestItem[], position: BrokerPosition | undefined): (LogEntry | "duplicate")[] {
    const { cursor } = this.#committed;
    const before = position && cursor && isSameStream(position, cursor) ? cursor : undefined;
    // A sequence above everything received from this stream cannot be in the log, so most messages need no lookup.
    let newest = before === undefined ? Number.POSITIVE_INFINITY : Math.max(before.sequence, this.#reusedUpTo);
    const receiving = { rows: this.#rows, append: this.#append, coreDedupe: this.#coreDedupe };
    const answers = batch.map((item) => {
      if ("type" in item) return this.#append(item, deliveryOrigin(item));
      const { streamSequence = 0 } = item;
      const isNew = streamSequence > newest;
      if (isNew) newest = streamSequence;
      return receive(receiving, before, isNew, item);
    });
    if (position !== undefined && position.sequence > (before?.sequence ?? 0))
      this.#setCursor({ ...position, firstSequence: before?.firstSequence ?? position.sequence });
    return answers;
  }

  /** As Store.appendDelivery. */
  delivery(events: readonly (DeliveryEvent | CloneSeen)[], cursor: Cursor | undefined, lastSequence: number): LogEntry[] {
    const delivery = this.#rows.delivery();
    // Messages from an earlier core-NATS period were already deduplicated.
    if (cursor !== undefined && delivery?.event.reason === "at_most_once")
      this.#coreDedupe.expect(this.#rows.receivedByCore(delivery.seq, Date.parse(cursor.created)), lastSequence);
    const entries = events.map((event) => this.#append(event, deliveryOrigin(event)));
    this.#reusedUpTo = Math.max(this.#reusedUpTo, newestReused(events));
    if (cursor !== undefined) this.#setCursor(cursor);
    return entries;
  }

  #setCursor(cursor: Cursor): void {
    this.#rows.setCursor(cursor);
    this.#committed.setCursor(cursor);
  }
}

function newestReused(events: readonly (DeliveryEvent | CloneSeen)[]): number {
  return Math.max(
    0,
    ...events.map((event) => (event.type === "DeliveryGap" && event.reason === "reused" ? event.streamSequence - 1 : 0)),
  );
}

function deliveryOrigin(event: DeliveryEvent | CloneSeen) {
  return { ...OBSERVED, streamSequence: event.type === "CloneSeen" ? null : event.streamSequence };
}
