/** A binary heap of values ordered by time; equal times leave in the order they came, so that runs are repeatable. */
interface Entry<T> {
  readonly atMs: number;
  readonly order: number;
  readonly value: T;
}

export class MinHeap<T> {
  readonly #entries: Entry<T>[] = [];
  #pushed = 0;

  peek(): { readonly atMs: number; readonly value: T } | undefined {
    return this.#entries[0];
  }

  push(atMs: number, value: T): void {
    const entry = { atMs, order: this.#pushed++, value };
    const entries = this.#entries;
    let index = entries.length;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = entries[parentIndex];
      if (parent === undefined || isBefore(parent, entry)) break;
      entries[index] = parent;
      index = parentIndex;
    }
    entries[index] = entry;
  }

  pop(): T | undefined {
    const entries = this.#entries;
    const first = entries[0];
    const last = entries.pop();
    if (first !== undefined && last !== undefined && entries.length > 0) this.#sink(last);
    return first?.value;
  }

  #sink(entry: Entry<T>): void {
    const entries = this.#entries;
    let index = 0;
    for (;;) {
      const left = entries[2 * index + 1];
      const right = entries[2 * index + 2];
      if (left === undefined) break;
      const [child, childIndex] = right !== undefined && isBefore(right, left) ? [right, 2 * index + 2] : [left, 2 * index + 1];
      if (isBefore(entry, child)) break;
      entries[index] = child;
      index = childIndex;
    }
    entries[index] = entry;
  }
}

function isBefore<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
