/** A limit on how often something may happen: a burst at first, then one at a time. The caller passes the time (monotonic ms). */

export interface Rate {
  /** How many may happen at once. */
  readonly burst: number;
  /** One more after each period of this length. */
  readonly everyMs: number;
}

export class TokenBucket {
  readonly #rate: Rate;
  #tokens: number;
  #countedAtMs: number;

  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#countedAtMs = nowMs;
  }

  /** Takes a token; false if there is none. */
  take(nowMs: number): boolean {
    if (!this.hasToken(nowMs)) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Takes a token even if there is none, for what must happen anyway. Later takers wait for it. */
  overdraw(nowMs: number): void {
    this.#refill(nowMs);
    this.#tokens -= 1;
  }

  hasToken(nowMs: number): boolean {
    this.#refill(nowMs);
    return this.#tokens >= 1;
  }

  #refill(nowMs: number): void {
    const periods = Math.floor((nowMs - this.#countedAtMs) / this.#rate.everyMs);
    if (periods <= 0) return;
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + periods);
    this.#countedAtMs += periods * this.#rate.everyMs;
  }
}
