/** Whether to believe a broker whose stream ends before the log's cursor. Pure. */

/** A new leader of a cluster answers from an older state until it has caught up, which takes a moment; a rewound stream stays so. */
const BELIEVED_AFTER_MS = 5_000;
const BELIEVED_LOOKS = 3;

export class StaleAnswer {
  #sinceMs = 0;
  #looks = 0;

  /** Call after each look at the stream. True once it has been behind, look after look, for long enough. Monotonic time. */
  isBelieved(isBehind: boolean, nowMs: number): boolean {
    if (!isBehind) this.#looks = 0;
    else if (this.#looks++ === 0) this.#sinceMs = nowMs;
    return this.#looks >= BELIEVED_LOOKS && nowMs - this.#sinceMs >= BELIEVED_AFTER_MS;
  }
}
