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
