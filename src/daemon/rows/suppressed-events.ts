/** Counts observed events that get no row, for the one row that stands for all of them. Does no I/O. */
import type { PeerId } from "../../base/ids.ts";
import type { EventsSuppressed, ObservedEvent, SuppressedCount } from "../../events/types.ts";

/** Bounds the memory for distinct peers; beyond it, their number is a lower bound. */
const MAX_DISTINCT_PEERS = 16_384;

export class SuppressedEvents {
  readonly #peerId: PeerId | null;
  readonly #reason: EventsSuppressed["reason"];
  #fromMs: number;
  readonly #peers = new Set<PeerId>();
  /** A lower bound, from summaries that do not name their peers. */
  #leastPeers = 0;
  /** By type and reason, so at most one for each pair of them. */
  readonly #counts = new Map<string, SuppressedCount>();
  #events = 0;

  /** `peerId`: the peer whose events are counted; null for those of all strangers. `fromMs`: monotonic. */
  constructor(peerId: PeerId | null, fromMs: number, reason: EventsSuppressed["reason"] = null) {
    this.#peerId = peerId;
    this.#fromMs = fromMs;
    this.#reason = reason;
  }

  count(event: ObservedEvent): void {
    const { type, peerId } = event;
    this.#add({ type, reason: "reason" in event ? event.reason : null, events: 1 });
    if (this.#peers.size < MAX_DISTINCT_PEERS) this.#peers.add(peerId);
  }

  /** Counts the events of a summary that gets no row either. */
  include({ details }: EventsSuppressed): void {
    for (const count of details.counts) this.#add(count);
    this.#leastPeers = Math.max(this.#leastPeers, details.peers);
  }

  /** Extends the time that is covered back to `fromMs` (monotonic). */
  coverFrom(fromMs: number): void {
    this.#fromMs = Math.min(this.#fromMs, fromMs);
  }

  /** The event for everything counted up to `nowMs` (monotonic). */
  summary(nowMs: number): EventsSuppressed {
    const counts = [...this.#counts.values()].sort((one, other) => other.events - one.events);
    return {
      type: "EventsSuppressed",
      peerId: this.#peerId,
      reason: this.#reason,
      durationMs: Math.round(nowMs - this.#fromMs),
      details: { events: this.#events, peers: Math.max(this.#peers.size, this.#leastPeers), counts },
    };
  }

  #add({ type, reason, events }: SuppressedCount): void {
    const key = `${type} ${reason}`;
    this.#counts.set(key, { type, reason, events: (this.#counts.get(key)?.events ?? 0) + events });
    this.#events += events;
  }
}
