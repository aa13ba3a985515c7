/**
 * Bounds the rows about partners' programs (docs/adr/0019-partners-programs-in-the-log.md): one for each change, within a budget per
 * partner, whatever it shows. Facts that come together get one row. Beyond the budget only short facts wait. A program has up to
 * 9 KiB, so it is forgotten and asked again later.
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
const RETRY_MS = 1_000;
/** In one tick, so that 10,000 partners that wait take about five minutes. */
const RETRIES = 32;
const MAX_PEERS = 16_384;

/** The dialect and the answer to the challenge, which a stream shows. The other facts are the program, which identify names. */
type ShortFacts = Partial<Pick<LearnedFacts, "heartbeatFields" | "heartbeatTimestamp" | "challenge">>;

export interface LearnedRowsInit {
  readonly clock: Clock;
  readonly store: Pick<Store, "get" | "status">;
  readonly write: (observation: Observation) => void;
  /** True while rows wait outside the log, so that its facts may be out of date. */
  readonly isBehind: () => boolean;
}

interface Settling {
  facts: Partial<LearnedFacts>;
  askAgain: (() => void) | undefined;
  readonly timer: Disposable;
}

/** Disposing it writes what has not settled or waits, and is within its budget. */
export class LearnedRows implements Disposable {
  readonly #init: LearnedRowsInit;
  readonly #buckets = new RecentMap<PeerId, TokenBucket>(MAX_PEERS);
  /** Facts about partners. We ask 20 of them a second for their programs, so about 40 programs settle at a time. */
  readonly #settling = new Map<PeerId, Settling>();
  /** Of partners whose row could not be written yet, in the order of their next tries. */
  readonly #waiting = new Map<PeerId, ShortFacts>();
  #retry: Disposable | undefined;
  /** Of other peers with an inbound stream. One that becomes a partner while its stream is open does not show them again. */
  readonly #early = new RecentMap<PeerId, ShortFacts>(MAX_PEERS);

  constructor(init: LearnedRowsInit) {
    this.#init = init;
  }

  /**
   * Newer facts replace older ones. Of a peer that is not a partner, only short facts are kept, while its inbound stream is open.
   * Calls `askAgain` if the answer of identify is dropped before it has a row. Does not throw.
   */
  learned(peerId: PeerId, facts: Partial<LearnedFacts>, askAgain?: () => void): void {
    if (!this.#isPartner(peerId)) {
      const early = this.#early.get(peerId);
      if (early !== undefined) this.#early.set(peerId, { ...early, ...shortFactsOf(facts) });
      askAgain?.();
      return;
    }
    const settling = this.#settling.get(peerId);
    if (settling === undefined) this.#settle(peerId, facts, askAgain);
    else {
      settling.facts = { ...settling.facts, ...facts };
      settling.askAgain = askAgain ?? settling.askAgain;
    }
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
    if (Object.keys(facts).length > 0) this.learned(peerId, facts);
  }

  [Symbol.dispose](): void {
    this.#retry?.[Symbol.dispose]();
    for (const { timer } of this.#settling.values()) timer[Symbol.dispose]();
    for (const [peerId, { facts }] of this.#settling) this.#write(peerId, facts);
    for (const [peerId, short] of this.#waiting) this.#write(peerId, short);
  }

  #isPartner(peerId: PeerId): boolean {
    return this.#init.store.get(peerId)?.standing === "partner";
  }

  #settle(peerId: PeerId, newest: Partial<LearnedFacts>, askAgain: (() => void) | undefined): void {
    const facts = { ...this.#waiting.get(peerId), ...newest };
    this.#waiting.delete(peerId);
    const timer = this.#init.clock.schedule(SETTLE_MS, () => {
      const settled = this.#settling.get(peerId);
      this.#settling.delete(peerId);
      if (settled === undefined || this.#write(peerId, settled.facts)) return;
      const short = shortFactsOf(settled.facts);
      if (Object.keys(short).length > 0) this.#wait(peerId, short);
      settled.askAgain?.();
    });
    this.#settling.set(peerId, { facts, askAgain, timer });
  }

  #wait(peerId: PeerId, short: ShortFacts): void {
    this.#waiting.set(peerId, short);
    this.#retry ??= this.#init.clock.schedule(RETRY_MS, () => this.#retryOldest());
  }

  #retryOldest(): void {
    this.#retry = undefined;
    for (const [peerId, short] of [...this.#waiting].slice(0, RETRIES)) {
      this.#waiting.delete(peerId);
      if (!this.#write(peerId, short)) this.#waiting.set(peerId, short);
    }
    if (this.#waiting.size > 0) this.#retry = this.#init.clock.schedule(RETRY_MS, () => this.#retryOldest());
  }

  /** False if it must be tried again, because the budget is spent or the log cannot be read or written. */
  #write(peerId: PeerId, facts: Partial<LearnedFacts>): boolean {
    const { clock, store, write, isBehind } = this.#init;
    const peer = store.get(peerId);
    if (peer?.standing !== "partner") return true;
    // A row that waits may have facts that the log lacks. This one would erase them.
    if (isBehind()) return false;
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

function shortFactsOf({ heartbeatFields, heartbeatTimestamp, challenge }: Partial<LearnedFacts>): ShortFacts {
  return {
    ...(heartbeatFields !== undefined && { heartbeatFields }),
    ...(heartbeatTimestamp !== undefined && { heartbeatTimestamp }),
    ...(challenge !== undefined && { challenge }),
  };
}
