/** Waiting that always ends when its signal does, whatever the awaited work does. */

/**
 * The outcome of `work`, or the signal's reason the moment it aborts. Work that outlives its signal is not lost:
 * a late result goes to `onLate`, a late failure is what an abort looks like and is dropped.
 */
export function abortable<Result>(
  work: Promise<Result>,
  signal: AbortSignal,
  onLate: (result: Result) => void = () => {},
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(
      (result) => {
        if (signal.aborted) onLate(result);
        signal.removeEventListener("abort", onAbort);
        resolve(result);
      },
      (error: unknown) => {
        signal.removeEventListener("abort", onAbort);
        reject(error as Error);
      },
    );
  });
}

/** One try at something that several causes may end: its signal aborts with the first of them. Dispose it when the try is over. */
export class Attempt implements Disposable {
  readonly #controller = new AbortController();
  readonly #parents: readonly { readonly signal: AbortSignal; readonly onAbort: () => void }[];

  constructor(...parents: readonly AbortSignal[]) {
    this.#parents = parents.map((signal) => ({ signal, onAbort: () => this.#controller.abort(signal.reason) }));
    for (const { signal, onAbort } of this.#parents) {
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort, { once: true });
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  cancel(reason: Error): void {
    this.#controller.abort(reason);
  }

  [Symbol.dispose](): void {
    for (const { signal, onAbort } of this.#parents) signal.removeEventListener("abort", onAbort);
  }
}
