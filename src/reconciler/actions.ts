/** Performs single actions on the streams, each with a deadline. Opens share a bounded number of slots. */
import PQueue from "p-queue";
import { type Clock, deadline } from "../base/clock.ts";
import { isFault, PartnerdError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import type { AttemptId, DesiredPeer } from "../events/types.ts";
import type { Action } from "./decide.ts";
import type { ReconcilerOptions } from "./options.ts";
import type { ActualPeer, Attempt, PartnerStreams } from "./ports.ts";

export class Actions {
  readonly #streams: PartnerStreams;
  readonly #clock: Clock;
  readonly #options: ReconcilerOptions;
  readonly #openSlots: PQueue;

  constructor(streams: PartnerStreams, clock: Clock, options: ReconcilerOptions) {
    this.#streams = streams;
    this.#clock = clock;
    this.#options = options;
    this.#openSlots = new PQueue({ concurrency: options.concurrency });
  }

  /** Calls `onStart` once a slot is free; the deadline starts then. Rejects as PartnerStreams.open does. */
  open(
    peer: DesiredPeer,
    signal: AbortSignal,
    wanted: Omit<Attempt, "startedAtMs">,
    onStart: (attempt: Attempt) => void,
  ): Promise<void> {
    return this.#inSlot(signal, async () => {
      const attempt = { ...wanted, startedAtMs: this.#clock.monotonicMs() };
      onStart(attempt);
      using limit = this.#deadline(this.#options.openTimeoutMs + wanted.graceMs, "the peer did not answer", signal);
      await this.#streams.open(peer, limit.signal, attempt);
    });
  }

  /**
   * False if no proof of life arrived in time. Nothing needs to be done then: the lease has time left, or the stream reports its
   * own end.
   */
  async renew(peerId: PeerId, signal: AbortSignal): Promise<boolean> {
    const expiresAtMs = this.#streams.actual(peerId).outbound?.expiresAtMs ?? 0;
    const leftMs = Math.max(0, expiresAtMs - this.#clock.monotonicMs());
    using limit = this.#deadline(Math.min(this.#options.renewTimeoutMs, leftMs), "no proof of life arrived", signal);
    try {
      await this.#streams.renew(peerId, limit.signal);
      return true;
    } catch (thrown) {
      if (!(thrown instanceof PartnerdError) || isFault(thrown)) throw thrown;
      return false;
    }
  }

  /**
   * Runs `work` once a slot is free, or rejects as soon as `signal` aborts while waiting. Once `work` runs, it must watch `signal`
   * itself: p-queue would free the slot of an aborted task that is still running.
   */
  async #inSlot(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    signal.throwIfAborted();
    const waiting = new AbortController();
    const giveUp = () => waiting.abort(signal.reason);
    signal.addEventListener("abort", giveUp, { once: true });
    const started = () => signal.removeEventListener("abort", giveUp);
    try {
      await this.#openSlots.add(
        async () => {
          started();
          await work();
        },
        { signal: waiting.signal },
      );
    } finally {
      started();
    }
  }

  #deadline(delayMs: number, what: string, signal: AbortSignal): { readonly signal: AbortSignal } & Disposable {
    const reason = () => new PartnerdError("timeout", `${what} within ${Math.round(delayMs)} ms`);
    return deadline(this.#clock, delayMs, reason, signal);
  }
}

/** The attempt that opened the outbound stream, if the action is about it. */
export function attemptOf(action: Action, { outbound }: ActualPeer): AttemptId | null {
  const isInbound = action.kind === "close" && action.direction === "inbound";
  return isInbound ? null : (outbound?.attempt ?? null);
}
