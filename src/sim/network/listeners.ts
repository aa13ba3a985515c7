/** Who is told what: a list of functions for each kind of event. Told in the order in which they asked, at once. */
export class Listeners<Events> {
  readonly #lists: { [Type in keyof Events]?: readonly ((event: Events[Type]) => void)[] } = {};

  add<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): void {
    this.#lists[type] = [...(this.#lists[type] ?? []), listener];
  }

  remove<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): void {
    this.#lists[type] = this.#lists[type]?.filter((each) => each !== listener) ?? [];
  }

  has(type: keyof Events): boolean {
    return (this.#lists[type]?.length ?? 0) > 0;
  }

  /** A list is replaced, never changed, so whoever listens or stops listening meanwhile does so from the next event on. */
  tell<Type extends keyof Events>(type: Type, event: Events[Type]): void {
    for (const listener of this.#lists[type] ?? []) listener(event);
  }
}
