/** Event listeners by event type, called synchronously in the order in which they were added. */
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

  /** Lists are copied on change, so listeners added or removed during an event take effect from the next one. */
  tell<Type extends keyof Events>(type: Type, event: Events[Type]): void {
    for (const listener of this.#lists[type] ?? []) listener(event);
  }
}
