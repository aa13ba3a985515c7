/**
 * The part of the database that every append reads, kept in memory: as committed, or as the current transaction will leave it.
 * Reading the desired peers can neither fail nor block, whatever the state of the disk.
 */

import type { PeerId, ResourceId } from "../../base/ids.ts";
import { RecentMap } from "../../base/recent-map.ts";
import type { DesiredPeer } from "../../events/types.ts";
import type { ProjectionLookup } from "../fold/project.ts";
import type { PeerStatus } from "../fold/status.ts";
import type { Cursor } from "../model/cursor.ts";
import type { LogEntry } from "../model/log-entry.ts";
import { type LogHead, NO_ROWS } from "../model/log-head.ts";
import type { Tables } from "../sql/statements/tables.ts";

/** Strangers' statuses grow without bound; only the few hundred peers with recent events are ever looked up. */
const MAX_STATUSES = 4_096;

/** The tables it reads from. */
type Source = Pick<Tables, "head" | "cursor" | "desiredPeers" | "status">;

export class CommittedState implements ProjectionLookup {
  readonly #source: Source;
  readonly #desired = new Map<PeerId, DesiredPeer>();
  readonly #peerOfResource = new Map<ResourceId, PeerId>();
  /** Null if the log has no status for this peer. */
  readonly #statuses = new RecentMap<PeerId, PeerStatus | null>(MAX_STATUSES);
  #head: LogHead | undefined;
  #appended: LogEntry[] = [];
  #cursor: Cursor | undefined;
  #sorted: readonly DesiredPeer[] | undefined;
  /** Newest change last. */
  #undo: (() => void)[] = [];

  constructor(source: Source) {
    this.#source = source;
    for (const peer of source.desiredPeers()) this.#setDesired(peer);
    this.#cursor = source.cursor();
  }

  /** The newest row of the log; seq 0 if it is empty. */
  get head(): LogHead {
    this.#head ??= this.#source.head() ?? NO_ROWS;
    return this.#head;
  }

  get cursor(): Cursor | undefined {
    return this.#cursor;
  }

  peer(peerId: PeerId): DesiredPeer | undefined {
    return this.#desired.get(peerId);
  }

  peerOfResource(resourceId: ResourceId): PeerId | undefined {
    return this.#peerOfResource.get(resourceId);
  }

  status(peerId: PeerId): PeerStatus | undefined {
    const known = this.#statuses.get(peerId);
    if (known !== undefined) return known ?? undefined;
    const status = this.#source.status(peerId);
    this.#statuses.set(peerId, status ?? null);
    return status;
  }

  /** By PeerID. */
  list(): readonly DesiredPeer[] {
    this.#sorted ??= [...this.#desired.values()].sort((a, b) => (a.peerId < b.peerId ? -1 : 1));
    return this.#sorted;
  }

  appended(entry: LogEntry): void {
    this.#head = entry;
    this.#appended.push(entry);
  }

  setCursor(cursor: Cursor): void {
    const before = this.#cursor;
    this.#undo.push(() => {
      this.#cursor = before;
    });
    this.#cursor = cursor;
  }

  setDesired(peer: DesiredPeer): void {
    const before = this.#desired.get(peer.peerId);
    this.#undo.push(() => this.#replace(peer, before));
    this.#setDesired(peer);
  }

  setStatus(status: PeerStatus): void {
    this.#undo.push(() => this.#statuses.delete(status.peerId));
    this.#statuses.set(status.peerId, status);
  }

  /**
   * Called when the transaction is in the database. Returns the rows that it appended. The next transaction reads the head again,
   * in case another process appended a row.
   */
  commit(): readonly LogEntry[] {
    const appended = this.#appended;
    this.#undo = [];
    this.#forgetHead();
    return appended;
  }

  /** Called when the transaction failed: undoes all of it. */
  rollback(): void {
    for (const undo of this.#undo.reverse()) undo();
    this.#undo = [];
    this.#forgetHead();
  }

  #forgetHead(): void {
    this.#head = undefined;
    this.#appended = [];
  }

  #setDesired(peer: DesiredPeer): void {
    const lostResource = this.#desired.get(peer.peerId)?.resourceId ?? null;
    if (lostResource !== null && this.#peerOfResource.get(lostResource) === peer.peerId)
      this.#peerOfResource.delete(lostResource);
    if (peer.resourceId !== null) this.#peerOfResource.set(peer.resourceId, peer.peerId);
    this.#desired.set(peer.peerId, peer);
    this.#sorted = undefined;
  }

  #replace(peer: DesiredPeer, before: DesiredPeer | undefined): void {
    if (before !== undefined) {
      this.#setDesired(before);
      return;
    }
    if (peer.resourceId !== null) this.#peerOfResource.delete(peer.resourceId);
    this.#desired.delete(peer.peerId);
    this.#sorted = undefined;
  }
}
