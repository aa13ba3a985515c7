/** What has to be true by a certain time, in the order of those times. */
import { MinHeap } from "../reconciler/min-heap.ts";

interface Obligation {
  readonly invariant: string;
  /** A sentence where it is not true. */
  readonly check: () => string | undefined;
}

export class Obligations {
  readonly #violated: (invariant: string, message: string) => void;
  #due = new MinHeap<Obligation>();

  constructor(violated: (invariant: string, message: string) => void) {
    this.#violated = violated;
  }

  add(dueMs: number, invariant: string, check: () => string | undefined): void {
    this.#due.push(dueMs, { invariant, check });
  }

  /** Checks what is due before `nowMs`: whoever is due now has until the end of this instant. */
  settle(nowMs: number): void {
    for (let next = this.#due.peek(); next !== undefined && next.atMs < nowMs; next = this.#due.peek()) {
      this.#due.pop();
      const message = next.value.check();
      if (message !== undefined) this.#violated(next.value.invariant, message);
    }
  }

  /** Nobody is there any more who could be held to anything. */
  clear(): void {
    this.#due = new MinHeap();
  }
}
