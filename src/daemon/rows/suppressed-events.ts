/** Counts observed events that get no row, for the one row that stands for all of them. Does no I/O. */
import type { PeerId } from "../../base/ids.ts";
import type { EventsSuppressed, ObservedEvent, SuppressedCount } from "../../events/types.ts";

/** Bounds the memory for distinct peers; beyond it, their number is a lower bound. */
const MAX_DISTINCT_PEERS = 16_384;

export class SuppressedEvents {
  readonly #peerId: PeerId | null;
  readonly #fromMs: number;
  readonly #peers = new Set<PeerId>();
  /** By type and reason, so at most one for each pair of them. */
  readonly #counts = new Map<string, SuppressedCount>();
  #events = 0;

  /** `peerId`: the peer whose events are counted; null for those of all strangers. `fromMs`: monotonic. */
  constructor(peerId: PeerId | null, fromMs: number) {
    this.#peerId = peerId;
    this.#fromMs = fromMs;
  }

  count(event: ObservedEvent): void {
    const { type, peerId } = event;
    const reason = "reason" in event ? event.reason : null;
    const key = `${type} ${reason}`;
    this.#counts.set(key, { type, reason, events: (this.#counts.get(key)?.events ?? 0) + 1 });
    this.#events += 1;
    if (this.#peers.size < MAX_DISTINCT_PEERS) this.#peers.add(peerId);
  }

  /** The event for everything counted up to `nowMs` (monotonic). */
  summary(nowMs: number): EventsSuppressed {
    const counts = [...this.#counts.values()].sort((one, other) => other.events - one.events);
    return {
      type: "EventsSuppressed",
      peerId: this.#peerId,
      durationMs: Math.round(nowMs - this.#fromMs),
      details: { events: this.#events, peers: this.#peers.size, counts },
    };
  }
}
