/**
 * A delay queue of keys. Duplicates merge, and the earlier time wins. A key being worked on is held, and runs again afterwards if
 * it was scheduled in the meantime. One timer serves all keys.
 */
import type { Clock } from "../base/clock.ts";
import { type HeapEntry, MinHeap } from "./min-heap.ts";

/** Works on one key. The key is held until the promise settles; it must not reject. */
export type Work<K> = (key: K) => Promise<void>;

interface Slot<K> {
  readonly key: K;
  /** When the key runs next; Infinity if it is only being worked on. */
  dueAtMs: number;
  busy: boolean;
  /** Its entry in the heap; undefined while it is being worked on. */
  entry: HeapEntry<Slot<K>> | undefined;
}

export class KeyedQueue<K> implements Disposable {
  readonly #clock: Clock;
  readonly #work: Work<K>;
  readonly #slots = new Map<K, Slot<K>>();
  readonly #heap = new MinHeap<Slot<K>>();
  #timer: { readonly atMs: number; readonly handle: Disposable } | undefined;
  #disposed = false;

  constructor(clock: Clock, work: Work<K>) {
    this.#clock = clock;
    this.#work = work;
  }

  /** Runs `key` at `atMs` (monotonic) or at the time it already has, whichever is earlier. */
  schedule(key: K, atMs: number): void {
    if (this.#disposed || atMs === Number.POSITIVE_INFINITY) return;
    const slot = this.#slots.get(key) ?? this.#addSlot(key);
    if (slot.dueAtMs <= atMs) return;
    slot.dueAtMs = atMs;
    if (!slot.busy) this.#enqueue(slot);
  }

  isBusy(key: K): boolean {
    return this.#slots.get(key)?.busy === true;
  }

  /** When the key runs next, or undefined. */
  dueAtMs(key: K): number | undefined {
    const dueAtMs = this.#slots.get(key)?.dueAtMs;
    return dueAtMs === Number.POSITIVE_INFINITY ? undefined : dueAtMs;
  }

  /** Stops handing out keys. Work in progress continues; its owner aborts it. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#timer?.handle[Symbol.dispose]();
    this.#timer = undefined;
  }

  #addSlot(key: K): Slot<K> {
    const slot = { key, dueAtMs: Number.POSITIVE_INFINITY, busy: false, entry: undefined };
    this.#slots.set(key, slot);
    return slot;
  }

  #enqueue(slot: Slot<K>): void {
    if (slot.entry !== undefined) this.#heap.remove(slot.entry);
    slot.entry = this.#heap.push(slot.dueAtMs, slot);
    this.#arm();
  }

  /** Sets the timer for the earliest entry, or clears it if there is none. */
  #arm(): void {
    const atMs = this.#heap.peek()?.atMs;
    if (this.#timer?.atMs === atMs) return;
    this.#timer?.handle[Symbol.dispose]();
    this.#timer =
      atMs === undefined
        ? undefined
        : { atMs, handle: this.#clock.schedule(atMs - this.#clock.monotonicMs(), () => this.#runDue()) };
  }

  #runDue(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.monotonicMs();
    for (let next = this.#heap.peek(); next !== undefined && next.atMs <= nowMs; next = this.#heap.peek()) {
      const slot = next.value;
      this.#heap.pop();
      slot.busy = true;
      slot.dueAtMs = Number.POSITIVE_INFINITY;
      slot.entry = undefined;
      void this.#run(slot);
      if (this.#disposed) return;
    }
    this.#arm();
  }

  async #run(slot: Slot<K>): Promise<void> {
    await this.#work(slot.key);
    slot.busy = false;
    if (slot.dueAtMs === Number.POSITIVE_INFINITY) {
      this.#slots.delete(slot.key);
    } else if (!this.#disposed) {
      this.#enqueue(slot);
    }
  }
}
