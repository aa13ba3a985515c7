/** A rate limit with a burst. Pure: the caller passes the time. */

export interface Rate {
  readonly perSecond: number;
  /** How much may be spent at once after a pause. */
  readonly burst: number;
}

export class TokenBucket {
  readonly #rate: Rate;
  #balance: number;
  #atMs: number | undefined;

  /** Starts full. */
  constructor(rate: Rate) {
    this.#rate = rate;
    this.#balance = rate.burst;
  }

  /** Takes `amount`; false if less is left, and then nothing is taken. `nowMs`: monotonic. */
  take(amount: number, nowMs: number): boolean {
    this.#refill(nowMs);
    if (this.#balance < amount) return false;
    this.#balance -= amount;
    return true;
  }

  /** True if `amount` is left. `nowMs`: monotonic. */
  has(amount: number, nowMs: number): boolean {
    this.#refill(nowMs);
    return this.#balance >= amount;
  }

  /**
   * Takes `amount` even if less is left; the debt never exceeds one burst. Returns the ms until it is paid, 0 if there is none.
   * `nowMs`: monotonic.
   */
  spend(amount: number, nowMs: number): number {
    this.#refill(nowMs);
    this.#balance = Math.max(-this.#rate.burst, this.#balance - amount);
    return this.#balance >= 0 ? 0 : (-this.#balance / this.#rate.perSecond) * 1_000;
  }

  #refill(nowMs: number): void {
    const { perSecond, burst } = this.#rate;
    const elapsedMs = nowMs - (this.#atMs ?? nowMs);
    this.#atMs = nowMs;
    this.#balance = Math.min(burst, this.#balance + (elapsedMs * perSecond) / 1_000);
  }
}
