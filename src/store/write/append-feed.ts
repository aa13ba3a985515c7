/** The only signal that rows were appended. */
import type { LogEntry } from "../model/log-entry.ts";

/** Called with each row in the order of `seq`, once it is on the disk. */
export type AppendListener = (entry: LogEntry) => void;

/**
 * Passes every row to every listener, in order. Rows that a listener appends follow those that it is being called with. An exception
 * of a listener is a fault of ours and becomes an unhandled rejection: the row is on the disk, and the other listeners still get it.
 */
export class AppendFeed {
  readonly #listeners = new Set<AppendListener>();
  readonly #queue: LogEntry[] = [];
  #isTelling = false;

  subscribe(listener: AppendListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  publish(entries: readonly LogEntry[]): void {
    this.#queue.push(...entries);
    if (this.#isTelling) return;
    this.#isTelling = true;
    for (let entry = this.#queue.shift(); entry !== undefined; entry = this.#queue.shift())
      for (const listener of this.#listeners) tell(listener, entry);
    this.#isTelling = false;
  }
}

function tell(listener: AppendListener, entry: LogEntry): void {
  try {
    listener(entry);
  } catch (thrown) {
    void Promise.reject(thrown);
  }
}
