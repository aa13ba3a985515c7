/** Counts repeated failures in memory and writes them at most once a second: a peer can be refused as often as it dials. */

import type { Clock } from "../../base/clock.ts";
import type { Repetition } from "../model/repetition.ts";

const WRITE_EVERY_MS = 1_000;

export class Repetitions {
  readonly #clock: Clock;
  readonly #unwritten = new Map<number, Repetition>();
  #writtenAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  count(firstSeq: number, lastAtMs: number): void {
    const count = (this.#unwritten.get(firstSeq)?.count ?? 0) + 1;
    this.#unwritten.set(firstSeq, { firstSeq, count, lastAtMs });
  }

  /** True if the counts should be written although nothing else is. */
  get due(): boolean {
    return this.#clock.monotonicMs() - this.#writtenAtMs >= WRITE_EVERY_MS;
  }

  /** Returns the counts since the last call, for the caller to write. */
  take(): readonly Repetition[] {
    const taken = [...this.#unwritten.values()];
    this.#unwritten.clear();
    if (taken.length > 0) this.#writtenAtMs = this.#clock.monotonicMs();
    return taken;
  }
}
