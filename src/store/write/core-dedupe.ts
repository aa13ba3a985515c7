/**
 * Messages that came by core NATS and are in a stream too: those that were published after the stream was made and before the daemon
 * turned to it. They have no key in the log; each row stands for one message of the same bytes.
 */
import type { CoreMessageCount } from "../sql/statements/delivery-rows.ts";

export class CoreDedupe {
  readonly #counts = new Map<string, number>();
  #untilSequence = 0;

  /** `rows`: what came by core NATS since the stream was made; up to `untilSequence` the stream may hold it too. */
  expect(rows: readonly CoreMessageCount[], untilSequence: number): void {
    this.#counts.clear();
    for (const { subject, payloadSha256, count } of rows) this.#counts.set(keyOf(subject, payloadSha256), count);
    this.#untilSequence = untilSequence;
  }

  /** Whether a row stands for this message; that row then stands for no other. */
  take(subject: string, sha256: string, streamSequence: number): boolean {
    if (streamSequence > this.#untilSequence) {
      this.#counts.clear();
      return false;
    }
    const key = keyOf(subject, sha256);
    const left = this.#counts.get(key) ?? 0;
    if (left === 0) return false;
    this.#counts.set(key, left - 1);
    return true;
  }
}

const keyOf = (subject: string, sha256: string): string => `${sha256} ${subject}`;
