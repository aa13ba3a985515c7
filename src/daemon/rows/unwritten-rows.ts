/**
 * Observations that wait for the log, in order and bounded. The end of a stream whose opening is in the log is never dropped, so the
 * log never shows a closed stream as open. Failures have one bound: repeats are dropped first, then refusals, then other failures.
 * Openings and ends have another: both rows of a stream are dropped if neither is in the log. All are counted by peer. Does no I/O.
 */
import type { PeerId } from "../../base/ids.ts";
import type { EventsSuppressed, InboundRefused, OpenFailed, StreamClosed, StreamOpened } from "../../events/types.ts";
import type { Observation } from "../../store/write/own-event-appender.ts";
import { SuppressedEvents } from "./suppressed-events.ts";

/** An observation that waits. */
export interface UnwrittenRow {
  readonly observation: Observation;
  /** Monotonic. */
  readonly putAtMs: number;
  readonly stream: WaitingStream | null;
}

/** A stream with an opening that was put here and no close that is in the log. */
interface WaitingStream {
  readonly slot: string;
  /** While it waits. */
  opening: UnwrittenRow | null;
  closing: UnwrittenRow | null;
  /** Its opening will never be in the log. */
  isDropped: boolean;
}

interface Dropped {
  readonly events: SuppressedEvents;
  /** Of the newest event. */
  causeSeq: number | null;
}

/** Streams that opened and closed while waiting, oldest first. */
interface Pairs {
  /** Followed by another pair in their slot. */
  readonly superseded: Set<WaitingStream>;
  /** By slot. These show last, so that the log has the newest end of each slot. */
  readonly newest: Map<string, WaitingStream>;
}

export class UnwrittenRows {
  readonly #most: number;
  readonly #rows = new Set<UnwrittenRow>();
  /** Rows that may be dropped, oldest first; those in the first set go first. */
  readonly #repeats = new Set<UnwrittenRow>();
  readonly #refusals = new Set<UnwrittenRow>();
  readonly #others = new Set<UnwrittenRow>();
  /** The row that a newer one of the same peer and type repeats. Only of rows that wait. */
  readonly #series = new Map<string, UnwrittenRow>();
  /** Open streams by slot, oldest first; a newer stream replaces the older one in its slot, so the oldest ends first. */
  readonly #open = new Map<string, readonly WaitingStream[]>();
  readonly #pairs: Pairs = { superseded: new Set(), newest: new Map() };
  #transitions = 0;
  /** By peer; null for strangers. No more than the peers that the log knows. */
  readonly #dropped = new Map<PeerId | null, Dropped>();
  #droppedEvents = 0;

  /**
   * Keeps `most` failures, and `most` openings and ends. These can exceed it by the streams that are open in the log and those that
   * are open now.
   */
  constructor(most: number) {
    this.#most = most;
  }

  /** Number of rows that wait, without the summaries of what was dropped. */
  get size(): number {
    return this.#rows.size;
  }

  /** Number of events dropped, until the last summary of them is written. */
  get dropped(): number {
    return this.#droppedEvents;
  }

  put(observation: Observation, nowMs: number): void {
    const { event } = observation;
    switch (event.type) {
      case "StreamOpened":
        this.#putOpened(observation, event, nowMs);
        break;
      case "StreamClosed":
        this.#putClosed(observation, event, nowMs);
        break;
      case "PeerLearned":
        // It is not shown again, and there is no second one while the log fails (learned-rows.ts).
        this.#add(observation, nowMs);
        break;
      case "OpenFailed":
      case "InboundRefused":
      case "EventsSuppressed":
        this.#putDroppable(observation, event, nowMs);
        break;
    }
  }

  /** The row to be written next: the oldest that waits, or else a summary of what was dropped until now. Undefined if none waits. */
  next(wallMs: number, nowMs: number): UnwrittenRow | undefined {
    const [oldest] = this.#rows;
    if (oldest !== undefined) return oldest;
    const [dropped] = this.#dropped.values();
    if (dropped === undefined) return undefined;
    const observation = { event: dropped.events.summary(nowMs), atMs: wallMs, causeSeq: dropped.causeSeq };
    return { observation, putAtMs: nowMs, stream: null };
  }

  /** `row`, which came from `next`, is in the log. */
  written(row: UnwrittenRow): void {
    if (!this.#rows.has(row)) this.#summarized(row);
    this.#remove(row);
    if (row.stream === null) return;
    if (row.stream.opening === row) row.stream.opening = null;
    this.#forgetPair(row.stream);
  }

  /** `row`, which came from `next`, can never be in the log. Without its opening, the end of a stream has no row either. */
  drop(row: UnwrittenRow): void {
    const { stream } = row;
    if (!this.#rows.has(row)) this.#summarized(row);
    else if (stream?.opening === row) this.#dropStream(stream);
    else this.#count(row);
  }

  #summarized({ observation }: UnwrittenRow): void {
    this.#dropped.delete(observation.event.peerId);
    if (this.#dropped.size === 0) this.#droppedEvents = 0;
  }

  #putOpened(observation: Observation, event: StreamOpened, nowMs: number): void {
    const slot = slotOf(event);
    const stream: WaitingStream = { slot, opening: null, closing: null, isDropped: false };
    stream.opening = this.#add(observation, nowMs, stream);
    this.#open.set(slot, [...(this.#open.get(slot) ?? []), stream]);
    // Its stream ends a series of failures, in the log too.
    this.#series.delete(`${event.direction === "outbound" ? "OpenFailed" : "InboundRefused"} ${event.peerId}`);
    this.#boundTransitions();
  }

  #putClosed(observation: Observation, event: StreamClosed, nowMs: number): void {
    const slot = slotOf(event);
    const [stream, ...left] = this.#open.get(slot) ?? [];
    if (left.length > 0) this.#open.set(slot, left);
    else this.#open.delete(slot);
    const row = this.#add(observation, nowMs, stream ?? null);
    if (stream === undefined) return;
    stream.closing = row;
    if (stream.isDropped) this.#count(row);
    else if (stream.opening !== null) {
      const older = this.#pairs.newest.get(slot);
      if (older !== undefined) this.#pairs.superseded.add(older);
      this.#pairs.newest.delete(slot);
      this.#pairs.newest.set(slot, stream);
    }
    this.#boundTransitions();
  }

  #boundTransitions(): void {
    while (this.#transitions > this.#most) {
      const [oldest = this.#pairs.newest.values().next().value] = this.#pairs.superseded;
      if (oldest === undefined) return;
      this.#dropStream(oldest);
    }
  }

  #dropStream(stream: WaitingStream): void {
    const { opening, closing } = stream;
    stream.isDropped = true;
    if (opening !== null) this.#count(opening);
    if (closing !== null) this.#count(closing);
    stream.opening = null;
    this.#forgetPair(stream);
  }

  #forgetPair(stream: WaitingStream): void {
    this.#pairs.superseded.delete(stream);
    if (this.#pairs.newest.get(stream.slot) === stream) this.#pairs.newest.delete(stream.slot);
  }

  #putDroppable(observation: Observation, event: OpenFailed | InboundRefused | EventsSuppressed, nowMs: number): void {
    const row = this.#add(observation, nowMs);
    const key = seriesOf(event);
    const before = this.#series.get(key);
    if (before !== undefined && reasonOf(before.observation.event) === reasonOf(event)) this.#repeats.add(row);
    else {
      (event.type === "InboundRefused" ? this.#refusals : this.#others).add(row);
      this.#series.set(key, row);
    }
    if (this.#repeats.size + this.#refusals.size + this.#others.size <= this.#most) return;
    const [oldest] = [...firstOf(this.#repeats), ...firstOf(this.#refusals), ...firstOf(this.#others)];
    if (oldest !== undefined) this.#count(oldest);
  }

  #add(observation: Observation, putAtMs: number, stream: WaitingStream | null = null): UnwrittenRow {
    const row = { observation, putAtMs, stream };
    this.#rows.add(row);
    if (stream !== null) this.#transitions += 1;
    return row;
  }

  #remove(row: UnwrittenRow): void {
    if (!this.#rows.delete(row)) return;
    if (row.stream !== null) this.#transitions -= 1;
    for (const rows of [this.#repeats, this.#refusals, this.#others]) rows.delete(row);
    const key = seriesOf(row.observation.event);
    if (this.#series.get(key) === row) this.#series.delete(key);
  }

  #count(row: UnwrittenRow): void {
    this.#remove(row);
    const { event, causeSeq } = row.observation;
    if (event.type === "PeerLearned") return;
    const peerId = causeSeq === null ? null : event.peerId;
    const fromMs = event.type === "EventsSuppressed" ? row.putAtMs - event.durationMs : row.putAtMs;
    const dropped = this.#dropped.get(peerId) ?? { events: new SuppressedEvents(peerId, fromMs, "log_unwritable"), causeSeq };
    this.#dropped.set(peerId, dropped);
    dropped.causeSeq = causeSeq;
    dropped.events.coverFrom(fromMs);
    if (event.type === "EventsSuppressed") {
      dropped.events.include(event);
      this.#droppedEvents += event.details.events;
      return;
    }
    dropped.events.count(event);
    this.#droppedEvents += 1;
  }
}

function firstOf<Row>(rows: ReadonlySet<Row>): readonly Row[] {
  const [first] = rows;
  return first === undefined ? [] : [first];
}

function slotOf({ peerId, protocol, direction }: Pick<StreamOpened, "peerId" | "protocol" | "direction">): string {
  return `${direction} ${protocol} ${peerId}`;
}

function seriesOf({ type, peerId }: Observation["event"]): string {
  return `${type} ${peerId}`;
}

function reasonOf(event: Observation["event"]): string | null {
  return "reason" in event ? event.reason : null;
}
