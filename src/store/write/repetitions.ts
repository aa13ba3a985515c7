/** Repeated failures, counted in memory and written at most once a second: anyone can be refused as often as they dial. */

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

  /** Whether what was counted should be written although nothing else is. */
  get due(): boolean {
    return this.#clock.monotonicMs() - this.#writtenAtMs >= WRITE_EVERY_MS;
  }

  /** What was counted since the last call; the caller writes it. */
  take(): readonly Repetition[] {
    const taken = [...this.#unwritten.values()];
    this.#unwritten.clear();
    if (taken.length > 0) this.#writtenAtMs = this.#clock.monotonicMs();
    return taken;
  }
}
