/**
 * The control loop: keeps the actual streams equal to the desired peers. A wake carries only a key, and work on a key reads
 * desired and actual again, so lost, late or duplicate events cannot mislead it (level-triggered, as in Kubernetes).
 */
import { type Clock, type Random, repeat } from "../base/clock.ts";
import { type ErrorCode, isFault, PartnerdError, toPartnerdError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import type { AttemptId, DesiredPeer } from "../events/types.ts";
import { Actions, attemptOf } from "./actions.ts";
import { attemptsOf, established, failed, graceMs, lost, mayOpenAtMs, type OpenFailure, type Retry, stopped } from "./backoff.ts";
import { decide, nextDueMs } from "./decide.ts";
import { InboundExpiry } from "./inbound-expiry.ts";
import { KeyedQueue } from "./keyed-queue.ts";
import type { KeyProgress, ReconcilerObserver, ReconcilerOptions } from "./options.ts";
import { factsOf, type Outcome } from "./outcome.ts";
import type { Attempt, DesiredPeers, PartnerStreams } from "./ports.ts";
import { generationOf, Retries } from "./retries.ts";

export interface ReconcilerDependencies {
  readonly desired: DesiredPeers;
  readonly streams: PartnerStreams;
  readonly observer: ReconcilerObserver;
  readonly clock: Clock;
  readonly random: Random;
}

/** An operation in flight: its generation, and how to abort it. */
interface InFlight {
  readonly generation: number;
  readonly controller: AbortController;
  readonly sinceMs: number;
  readonly settled: PromiseWithResolvers<void>;
  /** The open in progress, once it has a slot. */
  attempt: Attempt | null;
}

/** A failed renewal is not repeated sooner than this before the lease ends, nor is work that met an internal error. */
const RENEW_AGAIN_MS = 500;
/** Only another address or PeerID can fix these, and so a new generation, unless the error says otherwise. */
const TERMINAL: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["address_unsupported", "address_denied", "identity_unsupported"]);

export class Reconciler {
  readonly #deps: ReconcilerDependencies;
  readonly #options: ReconcilerOptions;
  readonly #queue: KeyedQueue<PeerId>;
  readonly #actions: Actions;
  readonly #inFlight = new Map<PeerId, InFlight>();
  readonly #retries = new Retries();
  readonly #inboundExpiry: InboundExpiry;
  #resync: Disposable | undefined;
  #lastSettledMs: number;
  #attempts = 0;
  #stopping = false;

  constructor(deps: ReconcilerDependencies, options: ReconcilerOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#queue = new KeyedQueue(deps.clock, (peerId) => this.#process(peerId));
    this.#actions = new Actions(deps.streams, deps.clock, options);
    this.#lastSettledMs = deps.clock.monotonicMs();
    this.#inboundExpiry = new InboundExpiry({ ...deps, close: (peerId) => this.#closeExpired(peerId) });
  }

  /** Runs a full diff now, then one every `resyncMs`. */
  start(): void {
    const { clock, random } = this.#deps;
    this.#diff(() => {});
    this.#resync = repeat(clock, random, this.#options.resyncMs, 0.2, () =>
      this.#diff((peerId) => this.#deps.observer.resyncFound(peerId)),
    );
  }

  /** Checks a peer about which something may have changed. Aborts an operation for an outdated generation. */
  wake(peerId: PeerId): void {
    if (this.#stopping) return;
    const inFlight = this.#inFlight.get(peerId);
    if (inFlight !== undefined) {
      if (!this.#isCurrent(peerId, inFlight))
        inFlight.controller.abort(new PartnerdError("aborted", "the desired state of the peer changed"));
      this.#inboundExpiry.watch(peerId);
    }
    this.#queue.schedule(peerId, this.#deps.clock.monotonicMs());
  }

  progress(peerId: PeerId): KeyProgress {
    const retry = this.#retries.get(peerId, generationOf(this.#deps.desired.get(peerId)));
    return {
      opening: (this.#inFlight.get(peerId)?.attempt ?? null) !== null,
      attempts: attemptsOf(retry),
      nextAttemptAtMs: retry.state === "waiting" ? mayOpenAtMs(retry, this.#deps.streams.actual(peerId).lastSignOfLifeMs) : null,
      lastFailure: retry.state === "waiting" || retry.state === "stopped" ? retry.failure : null,
    };
  }

  /** For liveness: how long work has been in flight without any of it completing, in ms; 0 if nothing is in flight. */
  stuckForMs(): number {
    if (this.#inFlight.size === 0) return 0;
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const { sinceMs } of this.#inFlight.values()) oldestMs = Math.min(oldestMs, sinceMs);
    return this.#deps.clock.monotonicMs() - Math.max(oldestMs, this.#lastSettledMs);
  }

  get inFlightCount(): number {
    return this.#inFlight.size;
  }

  /** Stops accepting work and aborts work in flight. Resolves when all of it has settled. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#resync?.[Symbol.dispose]();
    this.#queue[Symbol.dispose]();
    const reason = new PartnerdError("aborted", "the daemon is stopping");
    for (const { controller } of this.#inFlight.values()) controller.abort(reason);
    await Promise.all([...this.#inFlight.values()].map(({ settled }) => settled.promise));
  }

  /** Level-triggered safety net: finds work that no wake announced, and streams without a reason. */
  #diff(found: (peerId: PeerId) => void): void {
    const nowMs = this.#deps.clock.monotonicMs();
    const keys = new Set(this.#deps.streams.peers());
    for (const peer of this.#deps.desired.list()) keys.add(peer.peerId);
    for (const peerId of keys) {
      if (this.#queue.isBusy(peerId)) continue;
      const { desired, actual, retry } = this.#look(peerId);
      const hasWork = decide(desired, actual, retry, nowMs, this.#options).length > 0;
      // A key that is due soon was not missed: a failed renewal is repeated on its own schedule.
      if (hasWork && (this.#queue.dueAtMs(peerId) ?? Infinity) <= nowMs + RENEW_AGAIN_MS) continue;
      if (hasWork) found(peerId);
      this.#queue.schedule(peerId, hasWork ? nowMs : nextDueMs(desired, actual, retry, this.#options));
    }
    this.#retries.forgetAllBut(keys);
  }

  async #process(peerId: PeerId): Promise<void> {
    if (this.#stopping) return;
    const inFlight: InFlight = {
      generation: generationOf(this.#deps.desired.get(peerId)),
      controller: new AbortController(),
      sinceMs: this.#deps.clock.monotonicMs(),
      settled: Promise.withResolvers(),
      attempt: null,
    };
    this.#inFlight.set(peerId, inFlight);
    this.#inboundExpiry.watch(peerId);
    let outcome: Outcome;
    try {
      outcome = await this.#reconcile(peerId, inFlight);
    } catch (thrown) {
      outcome = { kind: "fault", error: toPartnerdError(thrown), part: "reconciler", attempt: null };
    } finally {
      this.#inFlight.delete(peerId);
      this.#inboundExpiry.release(peerId);
      this.#lastSettledMs = this.#deps.clock.monotonicMs();
    }
    if (outcome.kind === "fault") this.#deps.observer.faulted(peerId, outcome);
    // An outcome for an outdated generation says nothing about the new one, not even if it is a failure, woken or not.
    const isOutdated = !this.#isCurrent(peerId, inFlight) || inFlight.controller.signal.aborted;
    if (isOutdated) outcome = { kind: "after", atMs: this.#deps.clock.monotonicMs() };
    this.#settle(peerId, inFlight.generation, outcome);
    inFlight.settled.resolve();
  }

  /** One pass over a key. Looks again after every await, because what was read before may be stale. */
  async #reconcile(peerId: PeerId, inFlight: InFlight): Promise<Outcome> {
    const { desired, actual, retry } = this.#look(peerId);
    for (const action of decide(desired, actual, retry, this.#deps.clock.monotonicMs(), this.#options)) {
      if (action.kind === "open") {
        this.#attempts += 1;
        const attempt = `${this.#options.run}.${this.#attempts}` as AttemptId;
        this.#deps.observer.acted(peerId, action, attempt);
        const failure = await this.#open(action.peer, inFlight, { id: attempt, graceMs: graceMs(retry) });
        if (failure !== undefined) return failure;
        continue;
      }
      const attempt = attemptOf(action, actual);
      this.#deps.observer.acted(peerId, action, attempt);
      if (action.kind === "close") this.#deps.streams.close(peerId, action);
      else {
        const failure = await this.#renew(peerId, inFlight, attempt);
        if (failure !== undefined) return failure;
      }
    }
    return this.#lookAgain(peerId, 0);
  }

  #closeExpired(peerId: PeerId): void {
    const { desired, actual, retry } = this.#look(peerId);
    for (const action of decide(desired, actual, retry, this.#deps.clock.monotonicMs(), this.#options)) {
      if (action.kind !== "close" || action.direction !== "inbound") continue;
      this.#deps.observer.acted(peerId, action, null);
      this.#deps.streams.close(peerId, action);
    }
  }

  /** Undefined once a proof of life has arrived. */
  async #renew(peerId: PeerId, inFlight: InFlight, attempt: AttemptId | null): Promise<Outcome | undefined> {
    try {
      const isAlive = await this.#actions.renew(peerId, inFlight.controller.signal);
      return isAlive ? undefined : this.#lookAgain(peerId, RENEW_AGAIN_MS);
    } catch (thrown) {
      return { kind: "fault", error: toPartnerdError(thrown), part: "streams", attempt };
    }
  }

  /** Undefined once the stream is established. */
  async #open(peer: DesiredPeer, inFlight: InFlight, wanted: Pick<Attempt, "id" | "graceMs">): Promise<Outcome | undefined> {
    const isCurrent = () => this.#isCurrent(peer.peerId, inFlight);
    try {
      await this.#actions.open(peer, inFlight.controller.signal, { ...wanted, isCurrent }, (attempt) => {
        inFlight.attempt = attempt;
      });
    } catch (thrown) {
      const { attempt } = inFlight;
      // The streams reject with a specific code; anything else is an internal error.
      if (!(thrown instanceof PartnerdError) || isFault(thrown))
        return { kind: "fault", error: toPartnerdError(thrown), part: "streams", attempt: wanted.id };
      // Aborted while it waited for a slot.
      if (attempt === null) return this.#lookAgain(peer.peerId, 0);
      const isTerminal = TERMINAL.has(thrown.code) && thrown.details.mayChange !== true;
      return { kind: isTerminal ? "terminal" : "retry", error: thrown, attempt };
    } finally {
      inFlight.attempt = null;
    }
    this.#retries.update(peer.peerId, inFlight.generation, (retry) => established(retry, this.#deps.clock.monotonicMs()));
    return undefined;
  }

  #lookAgain(peerId: PeerId, leastMs: number): Outcome {
    const { desired, actual, retry } = this.#look(peerId);
    const dueMs = nextDueMs(desired, actual, retry, this.#options);
    if (dueMs === Infinity) return { kind: "done" };
    const leaseEndMs = Math.min(actual.inbound?.expiresAtMs ?? Infinity, actual.outbound?.expiresAtMs ?? Infinity);
    return { kind: "after", atMs: Math.max(dueMs, Math.min(leaseEndMs, this.#deps.clock.monotonicMs() + leastMs)) };
  }

  #settle(peerId: PeerId, generation: number, outcome: Outcome): void {
    switch (outcome.kind) {
      case "done":
        break;
      case "after":
        this.#queue.schedule(peerId, outcome.atMs);
        break;
      case "retry":
        this.#backOff(peerId, generation, outcome.error);
        this.#openFailed(peerId, outcome);
        break;
      case "fault":
        this.#backOff(peerId, generation, outcome.error);
        break;
      case "terminal":
        this.#fail(peerId, generation, outcome.error, stopped);
        this.#openFailed(peerId, outcome);
        break;
    }
    this.#deps.observer.settled(peerId, outcome);
  }

  #backOff(peerId: PeerId, generation: number, error: PartnerdError): void {
    this.#fail(peerId, generation, error, (retry, failure) => failed(retry, failure, this.#deps.random));
  }

  #fail(peerId: PeerId, generation: number, error: PartnerdError, next: (retry: Retry, failure: OpenFailure) => Retry): void {
    const { code, text: message } = error;
    this.#retries.update(peerId, generation, (retry) =>
      next(retry, { code, message, ...factsOf(error), failedAtMs: this.#deps.clock.monotonicMs() }),
    );
    // Even if only a new generation can help: the lease of an open inbound stream may expire.
    const { desired, actual, retry } = this.#look(peerId);
    const leastMs = isFault(error) ? this.#deps.clock.monotonicMs() + RENEW_AGAIN_MS : 0;
    this.#queue.schedule(peerId, Math.max(leastMs, nextDueMs(desired, actual, retry, this.#options)));
  }

  #openFailed(peerId: PeerId, { error, attempt }: { readonly error: PartnerdError; readonly attempt: Attempt }): void {
    const { observer, clock } = this.#deps;
    const durationMs = Math.round(clock.monotonicMs() - attempt.startedAtMs);
    const facts = { protocol: this.#options.protocol, attempt: attempt.id, durationMs, details: factsOf(error) };
    observer.observed({ type: "OpenFailed", peerId, reason: error.code, message: error.text, ...facts });
  }

  #isCurrent(peerId: PeerId, { generation }: InFlight): boolean {
    return generation === generationOf(this.#deps.desired.get(peerId));
  }

  /** Current desired, actual and retry state. An established stream that is gone counts as a failure from the first look on. */
  #look(peerId: PeerId) {
    const { clock, random } = this.#deps;
    const desired = this.#deps.desired.get(peerId);
    const actual = this.#deps.streams.actual(peerId);
    const generation = generationOf(desired);
    if (actual.outbound === null) {
      this.#retries.update(peerId, generation, (retry) =>
        retry.state === "established" ? lost(retry, actual.lastOutboundClose, clock.monotonicMs(), random) : retry,
      );
    }
    return { desired, actual, retry: this.#retries.get(peerId, generation) };
  }
}
