/** The retry state of every key, bound to the generation it was learned in. */
import type { PeerId } from "../base/ids.ts";
import type { DesiredPeer } from "../events/types.ts";
import { FRESH, type Retry } from "./backoff.ts";

export class Retries {
  readonly #memory = new Map<PeerId, { readonly generation: number; readonly retry: Retry }>();

  /** State learned in an older generation is ignored: a new address, for example, is tried at once. */
  get(peerId: PeerId, generation: number): Retry {
    const memory = this.#memory.get(peerId);
    return memory?.generation === generation ? memory.retry : FRESH;
  }

  update(peerId: PeerId, generation: number, next: (retry: Retry) => Retry): void {
    const before = this.get(peerId, generation);
    const after = next(before);
    if (after !== before) this.#memory.set(peerId, { generation, retry: after });
  }

  /** Bounds the map to the keys that still exist. */
  forgetAllBut(keys: ReadonlySet<PeerId>): void {
    for (const peerId of this.#memory.keys()) if (!keys.has(peerId)) this.#memory.delete(peerId);
  }
}

/** 0 for a peer that no event was about. */
export function generationOf(desired: DesiredPeer | undefined): number {
  return desired?.generation ?? 0;
}
