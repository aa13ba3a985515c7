/**
 * A delay queue of keys. Duplicates merge and the earlier time wins; a key at work is held, and runs once more
 * afterwards if it was scheduled meanwhile. One timer for all keys.
 */
import type { Clock } from "../clock.ts";
import { MinHeap } from "./min-heap.ts";

/** Works on one key. The key is held until the promise settles; it must not reject. */
export type Work<K> = (key: K) => Promise<void>;

interface Slot {
  /** When the key runs next; Infinity when it is only at work. */
  dueAtMs: number;
  busy: boolean;
}

export class KeyedQueue<K> implements Disposable {
  readonly #clock: Clock;
  readonly #work: Work<K>;
  readonly #slots = new Map<K, Slot>();
  readonly #heap = new MinHeap<K>();
  #timer: { readonly atMs: number; readonly handle: Disposable } | undefined;
  #disposed = false;

  constructor(clock: Clock, work: Work<K>) {
    this.#clock = clock;
    this.#work = work;
  }

  /** Runs `key` at `atMs` (monotonic) or at the time it already has, whichever is earlier. */
  schedule(key: K, atMs: number): void {
    if (this.#disposed || atMs === Number.POSITIVE_INFINITY) return;
    const slot = this.#slots.get(key);
    if (slot === undefined) {
      this.#slots.set(key, { dueAtMs: atMs, busy: false });
    } else {
      if (slot.dueAtMs <= atMs) return;
      slot.dueAtMs = atMs;
      if (slot.busy) return;
    }
    this.#heap.push(atMs, key);
    this.#arm();
  }

  isBusy(key: K): boolean {
    return this.#slots.get(key)?.busy === true;
  }

  /** When the key runs next, or undefined. */
  dueAtMs(key: K): number | undefined {
    const dueAtMs = this.#slots.get(key)?.dueAtMs;
    return dueAtMs === Number.POSITIVE_INFINITY ? undefined : dueAtMs;
  }

  get busyCount(): number {
    let count = 0;
    for (const slot of this.#slots.values()) if (slot.busy) count += 1;
    return count;
  }

  /** Stops handing out keys. Work under way goes on; its owner aborts it. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#timer?.handle[Symbol.dispose]();
    this.#timer = undefined;
  }

  #arm(): void {
    const next = this.#heap.peek();
    if (next === undefined) return;
    if (this.#timer !== undefined) {
      if (this.#timer.atMs <= next.atMs) return;
      this.#timer.handle[Symbol.dispose]();
    }
    const handle = this.#clock.schedule(next.atMs - this.#clock.monotonicMs(), () => this.#runDue());
    this.#timer = { atMs: next.atMs, handle };
  }

  #runDue(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.monotonicMs();
    for (let next = this.#heap.peek(); next !== undefined && next.atMs <= nowMs; next = this.#heap.peek()) {
      this.#heap.pop();
      const slot = this.#slots.get(next.value);
      // The heap keeps entries that an earlier time or a run has outdated; the slot is the truth.
      if (slot === undefined || slot.busy || slot.dueAtMs !== next.atMs) continue;
      slot.busy = true;
      slot.dueAtMs = Number.POSITIVE_INFINITY;
      void this.#run(next.value, slot);
      if (this.#disposed) return;
    }
    this.#arm();
  }

  async #run(key: K, slot: Slot): Promise<void> {
    await this.#work(key);
    slot.busy = false;
    if (slot.dueAtMs === Number.POSITIVE_INFINITY) {
      this.#slots.delete(key);
    } else if (!this.#disposed) {
      this.#heap.push(slot.dueAtMs, key);
      this.#arm();
    }
  }
}
