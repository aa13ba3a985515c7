/**
 * A model of the life of a peer's streams as drawn in docs/ARCHITECTURE.md: which events may happen in which phase, what must hold once
 * everything has settled, and how long a wait may be. It observes the real events and records violations.
 */
import type { ErrorCode } from "../../src/base/errors.ts";
import type { CloseReason, DesiredPeer } from "../../src/events/types.ts";

const LEASE_MS = 10_000;
export const OPEN_TIMEOUT_MS = 5_000;
/** A stream that was open this long resets the count of failures. */
const STABLE_MS = 60_000;
/** A stream that the far end ends sooner was refused, and the next one must stay open for this long. */
const GRACE_MS = 2_000;
/** For this long after a stream was lost, no wait is longer than RECENT_WAIT_MS. */
const RECENT_MS = 300_000;
const RECENT_WAIT_MS = 10_000;
const RESTART_MS = 60_000;
const RESTART_WAIT_MS = 5_000;
/** A stream that was open this long starts that time again. */
const RENEWS_RECENT_MS = 10_000;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
const LEAST_WAIT_MS = 50;
const LEAST_WAIT_AFTER_LIFE_MS = 1_000;
const FLOORS_MS: Partial<Record<ErrorCode, number>> = { refused: 3_000, identity_mismatch: 10_000, protocol_unsupported: 10_000 };
/** The floor of a peer that lost more streams than LOSSES_FORGIVEN since its last stable one. */
const FLAPPING_MS = 8_000;
const LOSSES_FORGIVEN = 2;
/** Floors are lengthened by up to a fifth, so that many refused peers do not come back together. */
const FLOOR_SPREAD = 1.2;
/** For sums of fractional times. */
const ROUNDING_MS = 0.001;

type Phase =
  | { readonly name: "closed" }
  | { readonly name: "opening"; readonly sinceMs: number; readonly generation: number; told: ErrorCode | undefined }
  | {
      readonly name: "established";
      readonly sinceMs: number;
      readonly generation: number;
      renewedAtLivedMs: number;
      wasSilent: boolean;
    }
  | {
      readonly name: "backoff";
      readonly failedAtMs: number;
      readonly code: ErrorCode;
      readonly runMs: number;
      notBeforeMs: number | undefined;
    }
  | { readonly name: "stopped"; readonly failedAtMs: number };

/** The state of a peer as shown to people. */
interface Shown {
  readonly opening: boolean;
  readonly attempts: number;
  readonly nextAttemptAtMs: number | null;
}

export interface Time {
  readonly nowMs: number;
  /** Excluding stalls. */
  readonly livedMs: number;
}

export class LifeModel {
  readonly #time: () => Time;
  /** True for our own PeerID, which is never dialled, even if it is desired. */
  readonly #isSelf: boolean;
  desired: DesiredPeer | undefined;
  phase: Phase = { name: "closed" };
  attempts = 0;
  #losses = 0;
  #runSinceMs = 0;
  #onProbation = false;
  #recentUntilMs: number | null = null;
  #livedAtMs: number | null = null;
  #inboundRenewedAtLivedMs: number | null = null;
  silent = false;
  readonly violations: string[] = [];
  /** The transitions taken so far, to check that a test covers all of them. */
  readonly arrows = new Set<string>();

  constructor(time: () => Time, isSelf: boolean) {
    this.#time = time;
    this.#isSelf = isSelf;
  }

  get wanted(): boolean {
    return this.desired?.standing === "partner" && !this.#isSelf;
  }

  get #isRevoked(): boolean {
    return this.desired !== undefined && this.desired.standing !== "partner";
  }

  get hasInbound(): boolean {
    return this.#inboundRenewedAtLivedMs !== null;
  }

  // Inputs.

  desire(desired: DesiredPeer): void {
    const isNew = desired.generation !== this.desired?.generation;
    this.desired = desired;
    if (!isNew) return;
    this.attempts = 0;
    this.#losses = 0;
    this.#onProbation = false;
    this.#recentUntilMs = null;
    const { name } = this.phase;
    if (name === "backoff" || name === "stopped") this.#to({ name: "closed" }, "new generation");
    // The failure of an open that has become outdated does not count.
    if (name === "opening" && this.phase.told !== undefined) this.#to({ name: "closed" }, "failed too late");
  }

  showLife(): void {
    this.#livedAtMs = this.#time().nowMs;
  }

  /** The far end has answered an open; the answer is in flight. */
  tell(code: ErrorCode): void {
    if (this.phase.name === "opening") this.phase.told = code;
  }

  beSilent(silent: boolean): void {
    this.silent = silent;
    if (silent && this.phase.name === "established") this.phase.wasSilent = true;
  }

  // Events.

  openStarted(generation: number): void {
    const { nowMs } = this.#time();
    this.#require(this.wanted, "opened although it is not desired");
    this.#require(generation === this.desired?.generation, "opened for an outdated generation");
    if (this.phase.name === "backoff") {
      this.#require(
        nowMs > this.#earliestMs(this.phase) - ROUNDING_MS,
        `opened ${this.#earliestMs(this.phase) - nowMs} ms too early`,
      );
    } else if (this.phase.name === "stopped") {
      this.#require(nowMs > this.#afterLifeMs(this.phase) - ROUNDING_MS, "opened although only life or a new address helps");
    } else {
      this.#require(this.phase.name === "closed", `opened while ${this.phase.name}`);
    }
    this.#to({ name: "opening", sinceMs: nowMs, generation, told: undefined });
  }

  openAborted(): void {
    this.#require(this.phase.name === "opening", `an open was aborted while ${this.phase.name}`);
    if (this.phase.name !== "opening") return;
    this.#require(this.phase.generation !== this.desired?.generation, "an open was aborted although it is not outdated");
    this.#to({ name: "closed" }, "aborted");
  }

  openFailed(code: ErrorCode): void {
    const { phase } = this;
    const { nowMs } = this.#time();
    if (phase.name !== "opening") {
      this.#object(`an open failed while ${phase.name}`);
      return;
    }
    const timedOut = code === "timeout" && nowMs - phase.sinceMs > this.#openTimeoutMs - ROUNDING_MS;
    this.#require(code === phase.told || (phase.told === undefined && timedOut), `failed with ${code}, not ${phase.told}`);
    if (this.#onProbation && code === "refused") this.#recentUntilMs = null;
    this.#fail(code, false);
  }

  streamOpened(direction: "outbound" | "inbound"): void {
    const { nowMs, livedMs } = this.#time();
    if (direction === "inbound") {
      this.#require(!this.hasInbound, "a second inbound stream");
      this.#inboundRenewedAtLivedMs = livedMs;
    } else {
      const { phase } = this;
      this.#require(phase.name === "opening", `an outbound stream opened while ${phase.name}`);
      const generation = phase.name === "opening" ? phase.generation : 0;
      this.#to({ name: "established", sinceMs: nowMs, generation, renewedAtLivedMs: livedMs, wasSilent: this.silent });
    }
  }

  renewed(direction: "outbound" | "inbound"): void {
    const { livedMs } = this.#time();
    if (direction === "inbound") this.#inboundRenewedAtLivedMs = livedMs;
    else if (this.phase.name === "established") Object.assign(this.phase, { renewedAtLivedMs: livedMs, wasSilent: this.silent });
    else this.#object(`renewed while ${this.phase.name}`);
  }

  streamClosed(direction: "outbound" | "inbound", reason: CloseReason): void {
    const { phase } = this;
    const { livedMs } = this.#time();
    this.#require(reason !== "revoked" || this.#isRevoked, "closed as revoked, but it is not");
    if (direction === "inbound") {
      this.#require(this.hasInbound, "an inbound stream was closed twice");
      const heldMs = livedMs - (this.#inboundRenewedAtLivedMs ?? 0);
      this.#require(reason !== "expired" || heldMs > LEASE_MS - ROUNDING_MS, `inbound expired after ${heldMs} ms`);
      this.#inboundRenewedAtLivedMs = null;
      return;
    }
    if (phase.name !== "established") {
      this.#object(`an outbound stream was closed while ${phase.name}`);
      return;
    }
    if (reason === "expired") {
      const heldMs = livedMs - phase.renewedAtLivedMs;
      this.#require(phase.wasSilent && heldMs > LEASE_MS - ROUNDING_MS, `expired after ${heldMs} ms, silent: ${phase.wasSilent}`);
    }
    if (reason === "revoked") this.#to({ name: "closed" }, "revoked");
    // The end of a stream of an older generation does not count as a failure of this one.
    else if (phase.generation !== this.desired?.generation) this.#to({ name: "closed" }, "outdated");
    else this.#lost(reason, this.#time().nowMs - phase.sinceMs);
  }

  // Checks once everything that can happen now has happened.

  settled(shown: Shown, connected: boolean): void {
    const { nowMs, livedMs } = this.#time();
    const { phase } = this;
    this.#require(shown.attempts === this.attempts, `shows ${shown.attempts} attempts, not ${this.attempts}`);
    this.#require(shown.opening === (phase.name === "opening"), `shows opening ${shown.opening} while ${phase.name}`);
    if (this.wanted) this.#require(phase.name !== "closed", "is desired but was not opened");
    else this.#require(phase.name === "closed", `is not desired but ${phase.name}`);
    this.#require(!this.#isRevoked || !this.hasInbound, "is revoked but has an inbound stream");
    this.#require(this.desired?.standing !== "blacklisted" || !connected, "is blacklisted but connected");
    const inboundHeldMs = livedMs - (this.#inboundRenewedAtLivedMs ?? livedMs);
    this.#require(inboundHeldMs < LEASE_MS + ROUNDING_MS, `inbound outlived its lease: ${inboundHeldMs} ms`);
    if (phase.name === "opening") {
      this.#require(phase.generation === this.desired?.generation, "still opening for an outdated generation");
      this.#require(nowMs - phase.sinceMs < this.#openTimeoutMs + ROUNDING_MS, "still opening after its deadline");
    } else if (phase.name === "backoff") {
      this.#settledBackoff(phase, shown);
    } else {
      if (phase.name === "stopped")
        this.#require(
          nowMs < this.#afterLifeMs(phase) + ROUNDING_MS,
          "showed life after it could not be dialled, but was not opened",
        );
      this.#require(shown.nextAttemptAtMs === null, `shows a next attempt while ${phase.name}`);
      this.#require(
        phase.name !== "established" || livedMs - phase.renewedAtLivedMs < LEASE_MS + ROUNDING_MS,
        "outlived its lease",
      );
    }
  }

  #settledBackoff(phase: Extract<Phase, { name: "backoff" }>, { nextAttemptAtMs }: Shown): void {
    const { nowMs } = this.#time();
    if (nextAttemptAtMs === null) {
      this.#object("shows no next attempt in backoff");
      return;
    }
    const waitMs = nextAttemptAtMs - phase.failedAtMs;
    const longestMs = this.#longestWaitMs(phase);
    this.#require(
      waitMs < longestMs + ROUNDING_MS,
      `waits ${waitMs} ms after failure ${this.attempts} (${phase.code}), more than ${longestMs}`,
    );
    this.#require(nextAttemptAtMs > this.#earliestMs(phase) - ROUNDING_MS, `waits only ${waitMs} ms`);
    this.#require(nextAttemptAtMs > nowMs - ROUNDING_MS, `should have been opened ${nowMs - nextAttemptAtMs} ms ago`);
    if (phase.notBeforeMs !== undefined) {
      const expectedMs = this.#showedLifeAfter(phase)
        ? Math.max(this.#earliestMs(phase), this.#livedAtMs ?? 0)
        : phase.notBeforeMs;
      this.#require(
        Math.abs(nextAttemptAtMs - expectedMs) < ROUNDING_MS,
        `the next attempt moved from ${expectedMs} to ${nextAttemptAtMs}`,
      );
    }
    phase.notBeforeMs ??= nextAttemptAtMs;
  }

  #lost(reason: CloseReason, lastedMs: number): void {
    this.#onProbation = reason === "reset" && lastedMs < GRACE_MS;
    const isStable = lastedMs >= STABLE_MS;
    if (isStable) this.#recentUntilMs = null;
    this.#losses = isStable ? 1 : this.#losses + 1;
    if (!this.#onProbation && (lastedMs >= RENEWS_RECENT_MS || this.#recentUntilMs === null))
      this.#recentUntilMs = this.#time().nowMs + RECENT_MS;
    this.#fail(this.#onProbation ? "refused" : "stream_lost", isStable);
    if (this.#onProbation) this.arrows.add("a stream is reset within the grace");
  }

  get #openTimeoutMs(): number {
    return OPEN_TIMEOUT_MS + (this.#onProbation ? GRACE_MS : 0);
  }

  #longestMs(failedAtMs: number): number {
    if (this.#recentUntilMs === null || failedAtMs >= this.#recentUntilMs) return LONGEST_WAIT_MS;
    return failedAtMs < this.#recentUntilMs - RECENT_MS + RESTART_MS ? RESTART_WAIT_MS : RECENT_WAIT_MS;
  }

  #fail(code: ErrorCode, wasStable: boolean): void {
    const { nowMs } = this.#time();
    if (wasStable) this.arrows.add("a stable stream resets the count");
    if (wasStable || this.attempts === 0) {
      this.attempts = 0;
      this.#runSinceMs = nowMs;
    }
    this.attempts += 1;
    if (code === "address_unsupported") this.#to({ name: "stopped", failedAtMs: nowMs });
    else this.#to({ name: "backoff", failedAtMs: nowMs, code, runMs: nowMs - this.#runSinceMs, notBeforeMs: undefined });
  }

  #floorMs(code: ErrorCode): number {
    return Math.max(FLOORS_MS[code] ?? 0, this.#losses > LOSSES_FORGIVEN ? FLAPPING_MS : 0);
  }

  #earliestMs({ failedAtMs, code, notBeforeMs }: Extract<Phase, { name: "backoff" }>): number {
    const leastMs = failedAtMs + Math.max(LEAST_WAIT_MS, this.#floorMs(code));
    if (notBeforeMs === undefined) return leastMs;
    const afterLifeMs = failedAtMs + Math.max(LEAST_WAIT_AFTER_LIFE_MS, this.#floorMs(code));
    return this.#livedAtMs !== null && this.#livedAtMs > failedAtMs ? Math.min(notBeforeMs, afterLifeMs) : notBeforeMs;
  }

  /** When a peer that cannot be dialled may be tried over a connection of its own; Infinity before it shows life. */
  #afterLifeMs(phase: Extract<Phase, { name: "stopped" }>): number {
    return this.#showedLifeAfter(phase) ? phase.failedAtMs + LEAST_WAIT_AFTER_LIFE_MS : Number.POSITIVE_INFINITY;
  }

  #showedLifeAfter({ failedAtMs }: { readonly failedAtMs: number }): boolean {
    return this.#livedAtMs !== null && this.#livedAtMs > failedAtMs;
  }

  /** Doubles with each failure; never longer than the run of failures has lasted, or than a minute (10 s after a recent stream). */
  #longestWaitMs({ code, runMs, failedAtMs }: Extract<Phase, { name: "backoff" }>): number {
    const doubledMs = FIRST_WAIT_MS * 2 ** (this.attempts - 1);
    const drawnMs = Math.min(this.#longestMs(failedAtMs), doubledMs, Math.max(FIRST_WAIT_MS, runMs));
    return Math.max(drawnMs, Math.min(Math.max(RECENT_WAIT_MS, this.#longestMs(failedAtMs)), this.#floorMs(code) * FLOOR_SPREAD));
  }

  #to(phase: Phase, why?: string): void {
    this.arrows.add(`${this.phase.name} -> ${phase.name}${why === undefined ? "" : `, ${why}`}`);
    this.phase = phase;
  }

  #require(holds: boolean, otherwise: string): void {
    if (!holds) this.#object(otherwise);
  }

  #object(violation: string): void {
    this.violations.push(`at ${this.#time().nowMs} ms: ${violation}`);
  }
}
