/** A log of a run that ended, and the key of its daemon beside it. */
import type { PeerId } from "../../src/base/ids.ts";
import { loadIdentity, loadOrCreateIdentity, peerIdOfKey } from "../../src/identity/identity.ts";
import { start } from "../store/support/events.ts";
import { TemporaryStore } from "../store/support/temporary-store.ts";

export class LogWithKey implements Disposable {
  readonly temporary: TemporaryStore;
  /** The identity that the log began with. */
  readonly first: PeerId;

  private constructor(first: PeerId, temporary: TemporaryStore) {
    this.first = first;
    this.temporary = temporary;
  }

  static async create(): Promise<LogWithKey> {
    const temporary = new TemporaryStore();
    const first = peerIdOfKey(await loadOrCreateIdentity({ data: temporary.directory }));
    start(temporary.store, { peerId: first });
    temporary.store[Symbol.dispose]();
    return new LogWithKey(first, temporary);
  }

  /** The identity that the log names now. */
  logged(): PeerId | undefined {
    const peerId = this.temporary.reopen().identity();
    this.temporary.store[Symbol.dispose]();
    return peerId;
  }

  [Symbol.dispose](): void {
    this.temporary[Symbol.dispose]();
  }
}

/** The identity of the key file. */
export const identityIn = (place: { data: string; identityFile?: string }): PeerId => peerIdOfKey(loadIdentity(place).key);
