/** The desired peers in memory, as committed. Reading them can neither fail nor wait, whatever the disk does. */
import type { DesiredPeer } from "../events/types.ts";
import type { PeerId } from "../ids.ts";

export class DesiredCache {
  readonly #peers: Map<PeerId, DesiredPeer>;
  #sorted: readonly DesiredPeer[] | undefined;
  #staged: DesiredPeer[] = [];

  constructor(peers: readonly DesiredPeer[]) {
    this.#peers = new Map(peers.map((peer) => [peer.peerId, peer]));
  }

  get(peerId: PeerId): DesiredPeer | undefined {
    return this.#peers.get(peerId);
  }

  /** By PeerID. */
  list(): readonly DesiredPeer[] {
    this.#sorted ??= [...this.#peers.values()].sort((a, b) => (a.peerId < b.peerId ? -1 : 1));
    return this.#sorted;
  }

  /** What a transaction has written and not yet committed. */
  stage(peer: DesiredPeer): void {
    this.#staged.push(peer);
  }

  commit(): void {
    for (const peer of this.#staged) this.#peers.set(peer.peerId, peer);
    if (this.#staged.length > 0) this.#sorted = undefined;
    this.#staged = [];
  }

  rollback(): void {
    this.#staged = [];
  }
}
