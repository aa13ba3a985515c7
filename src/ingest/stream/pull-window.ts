/**
 * How many messages to ask for at once. What a server sends and a client does not read in time is bounded in bytes at both ends
 * (`max_pending` there, the buffer here), which nobody can translate into messages: so less is asked for after each failure, until it
 * passes. Pure.
 */
const MOST = 1_024;
/** A failure costs a second of reconnecting, so few should do. */
const LESS_EACH_TIME = 4;
/** So many have to pass before more is tried again: soon where little is asked for, as each request is a round trip. */
const PASSED_BEFORE_MORE = 4_096;
const LITTLE = { messages: 64, passedBeforeMore: 64 } as const;

export class PullWindow {
  #messages = MOST;
  #passed = 0;

  get messages(): number {
    return this.#messages;
  }

  passed(): void {
    this.#passed += 1;
    if (this.#passed < (this.#messages < LITTLE.messages ? LITTLE.passedBeforeMore : PASSED_BEFORE_MORE)) return;
    this.#passed = 0;
    this.#messages = Math.min(MOST, this.#messages * 2);
  }

  /** Reading ended while messages were due. */
  failed(): void {
    this.#passed = 0;
    this.#messages = Math.max(1, Math.floor(this.#messages / LESS_EACH_TIME));
  }
}
