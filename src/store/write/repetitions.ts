/** Repeated failures, counted in memory and written at most once a second: anyone can be refused as often as they dial. */
import type { Clock } from "../../base/clock.ts";
import { checksumOf } from "../model/checksum.ts";

const WRITE_EVERY_MS = 1_000;

/** How often the failure logged as `firstSeq` came again, and when last (wall ms). */
export interface Repetition {
  readonly firstSeq: number;
  readonly count: number;
  readonly lastAtMs: number;
}

/** What the checksum of a row has to be. */
export function repetitionChecksum({ firstSeq, count, lastAtMs }: Repetition): string {
  return checksumOf([firstSeq, count, lastAtMs]);
}

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
