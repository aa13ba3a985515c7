/** Proof of the log's completeness: up to which sequence, and with which gaps. Pure. */
import { counted } from "../../base/units.ts";
import type { DeliveryEvent, DeliveryGuarantee, GapReason, RollbackEvidence } from "../../events/delivery/delivery-events.ts";
import type { Cursor } from "../model/cursor.ts";
import type { LogEntry } from "../model/log-entry.ts";

/** A period with one delivery guarantee. */
export interface DeliverySpan {
  readonly delivery: DeliveryGuarantee;
  readonly sinceMs: number;
  /** Null for the current span. */
  readonly untilMs: number | null;
  /** The broker stream and the first sequence followed; null with core NATS. */
  readonly stream: string | null;
  readonly firstSequence: number | null;
  /** Why messages could be lost; null if they could not. */
  readonly why: string | null;
}

export interface MissingMessages {
  readonly reason: GapReason;
  readonly stream: string;
  readonly firstSequence: number;
  /** Null if unknown. */
  readonly lastSequence: number | null;
  readonly atMs: number;
}

/** The log turned out to be an older copy. */
export interface Rollback {
  readonly reason: RollbackEvidence;
  readonly stream: string;
  /** The sequences that a later state of the log had acknowledged. */
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly atMs: number;
}

export interface DeliveryProof {
  /** The current guarantee; null if no message ever arrived. */
  readonly delivery: DeliveryGuarantee | null;
  /** The log's position in the broker stream that it follows, or followed last. */
  readonly cursor: Cursor | null;
  readonly missing: readonly MissingMessages[];
  readonly rollbacks: readonly Rollback[];
  readonly spans: readonly DeliverySpan[];
}

/** `deliveries`: all delivery rows of the log, oldest first. */
export function deliveryProof(cursor: Cursor | undefined, deliveries: readonly LogEntry<DeliveryEvent>[]): DeliveryProof {
  const missing: MissingMessages[] = [];
  const rollbacks: Rollback[] = [];
  const spans: DeliverySpan[] = [];
  for (const { event, atMs } of deliveries) {
    if (event.type === "DeliveryGap") {
      const { reason, stream, streamSequence: firstSequence, lastStreamSequence: lastSequence } = event;
      missing.push({ reason, stream, firstSequence, lastSequence, atMs });
      continue;
    }
    if (event.type === "LogRolledBack") {
      const { reason, stream, streamSequence: firstSequence, lastStreamSequence: lastSequence } = event;
      rollbacks.push({ reason, stream, firstSequence, lastSequence, atMs });
      continue;
    }
    const current = spans.at(-1);
    if (current !== undefined) spans[spans.length - 1] = { ...current, untilMs: atMs };
    const { reason: delivery, stream, streamSequence: firstSequence, message: why } = event;
    spans.push({ delivery, sinceMs: atMs, untilMs: null, stream, firstSequence, why });
  }
  return { delivery: spans.at(-1)?.delivery ?? null, cursor: cursor ?? null, missing, rollbacks, spans };
}

/** One phrase, for example "sequences 1 to 12 of stream OC_RESOURCES are in the log, no gap, no reuse". */
export function proven({ delivery, cursor, missing, rollbacks, spans }: DeliveryProof): string {
  if (delivery !== "at_least_once" || cursor === null) return "completeness cannot be proved";
  const { stream, firstSequence, sequence } = cursor;
  if (sequence < firstSequence) return `no message received from stream ${stream} yet`;
  const span = sequence === firstSequence ? `sequence ${sequence}` : `sequences ${firstSequence} to ${sequence}`;
  const [reuses, gaps] = [missing.filter(({ reason }) => reason === "reused").length, missing.length];
  const countedOrNo = (count: number, what: string) => (count === 0 ? `no ${what}` : counted(count, what));
  const uncaptured = spans.filter((past) => past.delivery === "not_captured").length;
  return [
    `${span} of stream ${stream} ${sequence === firstSequence ? "is" : "are"} in the log`,
    countedOrNo(gaps - reuses, "gap"),
    countedOrNo(reuses, "reuse"),
    ...(rollbacks.length === 0 ? [] : [counted(rollbacks.length, "rollback")]),
    ...(uncaptured === 0 ? [] : [`${counted(uncaptured, "period")} in which the stream did not store all events`]),
  ].join(", ");
}
