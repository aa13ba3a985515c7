/**
 * Bounds the rows about partners' programs (docs/adr/0019-partners-programs-in-the-log.md): one for each change, within a budget per
 * partner, whatever it shows. Facts that come together get one row.
 */
import type { Clock } from "../../base/clock.ts";
import type { PeerId } from "../../base/ids.ts";
import { type Rate, TokenBucket } from "../../base/rate/token-bucket.ts";
import { RecentMap } from "../../base/recent-map.ts";
import { type LearnedFacts, NOTHING_LEARNED, type PeerLearned } from "../../events/learned/learned-facts.ts";
import type { ObservedEvent } from "../../events/types.ts";
import { isLearned, learnedFactsOf } from "../../store/fold/status.ts";
import type { Store } from "../../store/store.ts";
import type { Observation } from "../../store/write/own-event-appender.ts";

/**
 * Two at once, since an answer may come late, then six an hour. With the budget of its failures and streams, a partner causes at most
 * 60 rows a minute.
 */
const LEARNED: Rate = { burst: 2, perSecond: 1 / 600 };
/** Heartbeat, challenge and identify of a new partner come within this time. */
const SETTLE_MS = 2_000;
const RETRY_MS = 60_000;
const MAX_PEERS = 16_384;

interface LearnedRowsInit {
  readonly clock: Clock;
  readonly store: Pick<Store, "get" | "status">;
  readonly write: (observation: Observation) => void;
  /** True while rows wait outside the log, so that its facts may be out of date. */
  readonly isFailing: () => boolean;
}

interface Pending {
  facts: Partial<LearnedFacts>;
  readonly timer: Disposable;
}

/** Disposing it writes what waits and is within its budget. */
export class LearnedRows implements Disposable {
  readonly #init: LearnedRowsInit;
  readonly #buckets = new RecentMap<PeerId, TokenBucket>(MAX_PEERS);
  /** Facts about partners, until they have settled. */
  readonly #pending = new Map<PeerId, Pending>();
  /** Facts about other peers with an inbound stream. One that becomes a partner while its stream is open does not show them again. */
  readonly #early = new RecentMap<PeerId, Partial<LearnedFacts>>(MAX_PEERS);

  constructor(init: LearnedRowsInit) {
    this.#init = init;
  }

  /**
   * Newer facts replace older ones. Those of a peer that is not a partner are kept while its inbound stream is open, and otherwise
   * ignored. Does not throw.
   */
  learned(peerId: PeerId, facts: Partial<LearnedFacts>): void {
    if (!this.#isPartner(peerId)) {
      const early = this.#early.get(peerId);
      if (early !== undefined) this.#early.set(peerId, { ...early, ...facts });
      return;
    }
    const pending = this.#pending.get(peerId);
    if (pending === undefined) this.#wait(peerId, facts, SETTLE_MS);
    else pending.facts = { ...pending.facts, ...facts };
  }

  /** Call it with every observed event. */
  observed(event: ObservedEvent): void {
    if (!("direction" in event) || event.direction !== "inbound") return;
    if (event.type === "StreamClosed") this.#early.delete(event.peerId);
    else if (!this.#isPartner(event.peerId)) this.#early.set(event.peerId, {});
  }

  /** A desired event has named this peer: takes what it showed before it was a partner. */
  named(peerId: PeerId): void {
    const facts = this.#early.get(peerId);
    if (facts === undefined || !this.#isPartner(peerId)) return;
    this.#early.delete(peerId);
    this.learned(peerId, facts);
  }

  [Symbol.dispose](): void {
    for (const [peerId, { timer, facts }] of this.#pending) {
      timer[Symbol.dispose]();
      this.#write(peerId, facts);
    }
    this.#pending.clear();
  }

  #isPartner(peerId: PeerId): boolean {
    return this.#init.store.get(peerId)?.standing === "partner";
  }

  #wait(peerId: PeerId, facts: Partial<LearnedFacts>, waitMs: number): void {
    const timer = this.#init.clock.schedule(waitMs, () => {
      const pending = this.#pending.get(peerId);
      this.#pending.delete(peerId);
      if (pending !== undefined && !this.#write(peerId, pending.facts)) this.#wait(peerId, pending.facts, RETRY_MS);
    });
    this.#pending.set(peerId, { facts, timer });
  }

  /** False if it must be tried again, because the budget is spent or the log cannot be read or written. */
  #write(peerId: PeerId, facts: Partial<LearnedFacts>): boolean {
    const { clock, store, write, isFailing } = this.#init;
    const peer = store.get(peerId);
    if (peer?.standing !== "partner") return true;
    // A row that waits may have facts that the log lacks. This one would erase them.
    if (isFailing()) return false;
    let event: PeerLearned;
    try {
      const logged = store.status(peerId);
      event = { type: "PeerLearned", peerId, details: { ...NOTHING_LEARNED, ...learnedFactsOf(logged), ...facts } };
      if (isLearned(logged, event)) return true;
    } catch {
      // Reported where the log is written.
      return false;
    }
    const bucket = this.#buckets.get(peerId) ?? new TokenBucket(LEARNED);
    this.#buckets.set(peerId, bucket);
    if (!bucket.take(1, clock.monotonicMs())) return false;
    write({ event, atMs: clock.wallMs(), causeSeq: peer.generation });
    return true;
  }
}
