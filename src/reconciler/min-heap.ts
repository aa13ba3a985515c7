/** A binary heap ordered by time. Entries with equal times leave in insertion order, so that runs are repeatable. */

/** A value in a heap, modified only by the heap. */
export interface HeapEntry<T> {
  readonly atMs: number;
  readonly order: number;
  readonly value: T;
  index: number;
}

export class MinHeap<T> {
  readonly #entries: HeapEntry<T>[] = [];
  #pushed = 0;

  peek(): HeapEntry<T> | undefined {
    return this.#entries[0];
  }

  push(atMs: number, value: T): HeapEntry<T> {
    const entry = { atMs, order: this.#pushed++, value, index: this.#entries.length };
    this.#rise(entry, entry.index);
    return entry;
  }

  pop(): T | undefined {
    const first = this.#entries[0];
    if (first !== undefined) this.remove(first);
    return first?.value;
  }

  /** `entry` must be in this heap. */
  remove(entry: HeapEntry<T>): void {
    const last = this.#entries.pop();
    if (last === undefined || last === entry) return;
    if (isBefore(last, entry)) this.#rise(last, entry.index);
    else this.#sink(last, entry.index);
  }

  #rise(entry: HeapEntry<T>, from: number): void {
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#entries[parentIndex];
      if (parent === undefined || isBefore(parent, entry)) break;
      this.#place(parent, index);
      index = parentIndex;
    }
    this.#place(entry, index);
  }

  #sink(entry: HeapEntry<T>, from: number): void {
    let index = from;
    for (;;) {
      const left = this.#entries[2 * index + 1];
      const right = this.#entries[2 * index + 2];
      if (left === undefined) break;
      const child = right !== undefined && isBefore(right, left) ? right : left;
      if (isBefore(entry, child)) break;
      const childIndex = child.index;
      this.#place(child, index);
      index = childIndex;
    }
    this.#place(entry, index);
  }

  #place(entry: HeapEntry<T>, index: number): void {
    this.#entries[index] = entry;
    entry.index = index;
  }
}

function isBefore<T>(a: HeapEntry<T>, b: HeapEntry<T>): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
