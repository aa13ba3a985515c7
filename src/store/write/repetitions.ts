/** Counts repeated failures in memory and writes them at most once a second: a peer can be refused as often as it dials. */

import type { Clock } from "../../base/clock.ts";
import type { Repetition } from "../model/repetition.ts";

const WRITE_EVERY_MS = 1_000;

type Counts = Map<number, Repetition>;

/** Like the rest of a transaction, its counts are undone if it fails: `commit` or `rollback` ends each. */
export class Repetitions {
  readonly #clock: Pick<Clock, "monotonicMs">;
  /** Counted by earlier transactions, and not on the disk. */
  readonly #unwritten: Counts = new Map();
  /** Counted by the current transaction, and not yet taken. */
  readonly #counted: Counts = new Map();
  #isTaken = false;
  #writtenAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  count(firstSeq: number, lastAtMs: number): void {
    add(this.#counted, { firstSeq, count: 1, lastAtMs });
  }

  /** True if the counts should be written although nothing else is. */
  get due(): boolean {
    return this.#clock.monotonicMs() - this.#writtenAtMs >= WRITE_EVERY_MS;
  }

  get isPending(): boolean {
    return this.#counted.size + this.#unwritten.size > 0;
  }

  /** Returns everything not yet taken, for the caller to write in its transaction. */
  take(): readonly Repetition[] {
    if (this.#counted.size === 0 && (this.#isTaken || this.#unwritten.size === 0)) return [];
    const taken: Counts = new Map(this.#isTaken ? [] : this.#unwritten);
    for (const repetition of this.#counted.values()) add(taken, repetition);
    this.#counted.clear();
    this.#isTaken = true;
    this.#writtenAtMs = this.#clock.monotonicMs();
    return [...taken.values()];
  }

  commit(): void {
    if (this.#isTaken) this.#unwritten.clear();
    for (const repetition of this.#counted.values()) add(this.#unwritten, repetition);
    this.rollback();
  }

  rollback(): void {
    this.#counted.clear();
    this.#isTaken = false;
  }
}

function add(counts: Counts, { firstSeq, count, lastAtMs }: Repetition): void {
  counts.set(firstSeq, { firstSeq, count: (counts.get(firstSeq)?.count ?? 0) + count, lastAtMs });
}
