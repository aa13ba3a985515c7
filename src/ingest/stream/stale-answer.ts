/** Whether to believe a broker whose stream ends before the log's cursor. */

/** A new leader of a cluster answers from an older state until it has caught up, which takes a moment; a rewound stream stays so. */
const BELIEVED_AFTER_MS = 5_000;
const BELIEVED_LOOKS = 3;
/** As long as a slow look and the wait for the next one take. Looks further apart may have met two leaders that lag. */
const APART_MS = 9_000;

/** When the broker was asked, and when it had answered: its answer was true in between. Monotonic time. */
interface Look {
  readonly askedMs: number;
  readonly answeredMs: number;
}

export class StaleAnswer {
  readonly #nowMs: () => number;
  #look: Look = { askedMs: 0, answeredMs: 0 };
  /** The first and the newest of the looks that found the stream behind, one after another. */
  #first: Look | undefined;
  #newest: Look | undefined;
  #looks = 0;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Passes the answer on. */
  async look<State>(ask: () => Promise<State>): Promise<State> {
    const askedMs = this.#nowMs();
    const state = await ask();
    this.#look = { askedMs, answeredMs: this.#nowMs() };
    return state;
  }

  /** Call after each look at the stream. True once it has been behind, look after look, for long enough; then it starts over. */
  isBelieved(isBehind: boolean): boolean {
    const look = this.#look;
    if (!isBehind || look.answeredMs - (this.#newest ?? look).askedMs > APART_MS) this.#first = undefined;
    this.#looks = this.#first === undefined ? 0 : this.#looks;
    if (!isBehind) return false;
    this.#first ??= look;
    this.#newest = look;
    this.#looks += 1;
    const isBelieved = this.#looks >= BELIEVED_LOOKS && look.askedMs - this.#first.answeredMs >= BELIEVED_AFTER_MS;
    // The log follows the stream from here on, so what comes next is another matter.
    if (isBelieved) this.#first = undefined;
    return isBelieved;
  }
}
