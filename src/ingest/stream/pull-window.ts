/**
 * Decides how many messages to request at once. Unread data is limited in bytes at both ends (`max_pending` at the server, the buffer
 * here), and bytes do not translate into messages. So each failure shrinks the window until deliveries succeed. Pure.
 */
const MOST = 1_024;
/** Divisor after a failure. Each failure costs a one-second reconnect, so a few must be enough. */
const LESS_EACH_TIME = 4;
/** Deliveries before the window grows. A small window grows sooner, since each request is a round trip. */
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

  /** Reading ended while messages were outstanding. */
  failed(): void {
    this.#passed = 0;
    this.#messages = Math.max(1, Math.floor(this.#messages / LESS_EACH_TIME));
  }
}
