/**
 * Asks partners which program they run, by identify: when a stream with one opens, and again when one opens after a stream was lost,
 * since it may have been updated. One that does not answer, whose answer could not be logged, or that becomes a partner while its
 * stream is open, is asked a few minutes later. Asks a few at a time, so that a cold start of thousands is not slowed down.
 */
import type { Clock } from "../../base/clock.ts";
import { isFault, toPartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import type { Logger } from "../../base/log.ts";
import { type Rate, TokenBucket } from "../../base/rate/token-bucket.ts";
import { RecentMap } from "../../base/recent-map.ts";
import type { LearnedFacts } from "../../events/learned/learned-facts.ts";
import type { ObservedEvent } from "../../events/types.ts";
import type { DesiredPeers } from "../../reconciler/ports.ts";

/** A partner that loses its streams all the time is not asked each time. */
const ASKED: Rate = { burst: 3, perSecond: 1 / 600 };
const MAX_PEERS = 16_384;
/** A partner that does not answer holds one of these places for 5 s. */
const MAX_AT_ONCE = 8;
/** An answer costs each end about 1 ms, so this is at most 2 % of a core. */
const ASK_EVERY_MS = 50;
const RETRY_MS = 300_000;

/** Asks the peer's program, over an open connection. Bounded in time and bytes. */
export type Identify = (peerId: PeerId, signal: AbortSignal) => Promise<Partial<LearnedFacts>>;

export interface PartnerIdentifierInit {
  readonly clock: Clock;
  readonly logger: Pick<Logger, "debug" | "fault">;
  readonly desired: Pick<DesiredPeers, "get">;
  /** Calls `askAgain` if it cannot log the facts. */
  readonly recorder: { learned(peerId: PeerId, facts: Partial<LearnedFacts>, askAgain: () => void): void };
  readonly identify: Identify;
}

/** Disposing it aborts what is asked. */
export class PartnerIdentifier implements Disposable {
  readonly #init: PartnerIdentifierInit;
  readonly #ended = new AbortController();
  readonly #buckets = new RecentMap<PeerId, TokenBucket>(MAX_PEERS);
  /** Partners that need not be asked again before they lose a stream, each with its newest request. */
  readonly #asked = new Map<PeerId, symbol>();
  /** Peers that have a stream and must be asked later: no more than the registry has. */
  readonly #unanswered = new Set<PeerId>();
  /** Oldest first. */
  readonly #waiting = new Set<PeerId>();
  #running = 0;
  #timer: Disposable | undefined;
  #retry: Disposable | undefined;

  constructor(init: PartnerIdentifierInit) {
    this.#init = init;
  }

  /** Call it with every observed event. */
  observed(event: ObservedEvent): void {
    if (event.type === "StreamClosed" && event.reason !== "replaced") this.#forget(event.peerId);
    if (event.type === "StreamOpened" && !this.#asked.has(event.peerId) && !this.#want(event.peerId)) this.#later(event.peerId);
  }

  [Symbol.dispose](): void {
    this.#ended.abort();
    this.#timer?.[Symbol.dispose]();
    this.#retry?.[Symbol.dispose]();
  }

  #forget(peerId: PeerId): void {
    this.#asked.delete(peerId);
    this.#waiting.delete(peerId);
    this.#unanswered.delete(peerId);
  }

  #later(peerId: PeerId): void {
    if (this.#ended.signal.aborted) return;
    this.#unanswered.add(peerId);
    this.#retry ??= this.#init.clock.schedule(RETRY_MS, () => {
      this.#retry = undefined;
      const unanswered = [...this.#unanswered];
      this.#unanswered.clear();
      for (const each of unanswered) if (!this.#want(each)) this.#later(each);
    });
  }

  /** False if the peer is not asked now, because it is not a partner or was asked too often. */
  #want(peerId: PeerId): boolean {
    if (this.#ended.signal.aborted || this.#init.desired.get(peerId)?.standing !== "partner") return false;
    const bucket = this.#buckets.get(peerId) ?? new TokenBucket(ASKED);
    this.#buckets.set(peerId, bucket);
    if (!bucket.take(1, this.#init.clock.monotonicMs())) return false;
    this.#asked.set(peerId, Symbol());
    this.#waiting.add(peerId);
    this.#timer ??= this.#init.clock.schedule(0, () => this.#next());
    return true;
  }

  #next(): void {
    this.#timer = undefined;
    const [peerId] = this.#waiting;
    if (peerId === undefined || this.#running >= MAX_AT_ONCE) return;
    this.#waiting.delete(peerId);
    void this.#ask(peerId);
    if (this.#waiting.size > 0) this.#timer = this.#init.clock.schedule(ASK_EVERY_MS, () => this.#next());
  }

  /** Never rejects. */
  async #ask(peerId: PeerId): Promise<void> {
    const { clock, identify, recorder } = this.#init;
    const { signal } = this.#ended;
    const request = this.#asked.get(peerId);
    const isNewest = () => request !== undefined && this.#asked.get(peerId) === request;
    // If a stream was lost in the meantime, the next one to open asks again.
    const again = () => {
      if (isNewest()) this.#later(peerId);
    };
    this.#running += 1;
    try {
      const facts = await identify(peerId, signal);
      if (isNewest()) this.#unanswered.delete(peerId);
      if (!signal.aborted) recorder.learned(peerId, facts, again);
    } catch (thrown) {
      this.#failed(peerId, thrown);
      again();
    }
    this.#running -= 1;
    if (this.#waiting.size > 0 && !signal.aborted) this.#timer ??= clock.schedule(ASK_EVERY_MS, () => this.#next());
  }

  #failed(peerId: PeerId, thrown: unknown): void {
    const { logger } = this.#init;
    if (isFault(thrown)) logger.fault("streams", thrown, { peerId });
    else if (!this.#ended.signal.aborted)
      logger.debug({ peerId, code: toPartnerdError(thrown, "stream_lost").code }, "could not identify the program of a peer");
  }
}
