/** Decodes the log's messages again under another vocabulary, and finds the peers whose state would differ. Pure. */
import type { PeerId, ResourceId } from "../../base/ids.ts";
import { decodeMessage } from "../../events/decode.ts";
import { type DesiredLookup, foldDesired } from "../../events/fold.ts";
import { resolve } from "../../events/resolve.ts";
import type { DesiredEvent, DesiredPeer } from "../../events/types.ts";
import type { MessageLimits, Vocabulary } from "../../events/vocabulary.ts";
import { eventOf, type LogRow } from "../model/log-entry.ts";

/** A peer whose state differs under the new vocabulary, and the event to append for it. */
export interface Reinterpreted {
  readonly event: DesiredEvent;
  /** The message that decides it. */
  readonly causeSeq: number;
  /** As the log has it now; undefined for a peer of which no event was accepted. */
  readonly before: DesiredPeer | undefined;
}

export class Reinterpretation {
  readonly #vocabulary: Vocabulary;
  readonly #limits: MessageLimits;
  readonly #state: RedecodedState;
  #decoded = 0;
  #kept = 0;

  /** `archived`: the peers as the archives left them, which are not decoded again. */
  constructor(vocabulary: Vocabulary, limits: MessageLimits, archived: Iterable<DesiredPeer>) {
    this.#vocabulary = vocabulary;
    this.#limits = limits;
    this.#state = new RedecodedState(archived);
  }

  /** Messages that were decoded again. */
  get decoded(): number {
    return this.#decoded;
  }

  /** Messages that keep their meaning, because the log holds only a part of them. */
  get kept(): number {
    return this.#kept;
  }

  /** The rows of the log, in order. */
  take(row: LogRow): void {
    const event = this.#eventOf(row);
    if (event === undefined) return;
    for (const peer of foldDesired(this.#state, event, row).peers) this.#state.set(peer);
  }

  /** The differences from `current`, the desired peers of the log, in the order of the messages that decide them. */
  changes(current: readonly DesiredPeer[]): readonly Reinterpreted[] {
    const before = new Map(current.map((peer) => [peer.peerId, peer]));
    const wanted = [...this.#state.peers()].filter((peer) => differs(peer, before.get(peer.peerId)));
    const gone = current.filter(({ peerId, standing }) => standing !== "revoked" && this.#state.peer(peerId) === undefined);
    return [
      ...wanted.map((peer) => ({ event: eventFor(peer), causeSeq: peer.generation, before: before.get(peer.peerId) })),
      ...gone.map((peer) => ({ event: removalOf(peer), causeSeq: peer.generation, before: peer })),
    ].sort((one, other) => one.causeSeq - other.causeSeq);
  }

  #eventOf(row: LogRow): DesiredEvent | undefined {
    const { subject, payload, payloadBytes, reason } = row;
    // Not a message, or one that arrived after a newer one about the same peer.
    if (subject === null || payload === null || reason === "outdated") return undefined;
    if (payload.byteLength !== payloadBytes) {
      this.#kept += 1;
      const event = eventOf(row);
      return event.type === "PeerDesired" || event.type === "PeerRemoved" ? event : undefined;
    }
    this.#decoded += 1;
    const decoded = decodeMessage({ subject, bytes: payload }, this.#vocabulary, this.#limits);
    if (decoded.kind === "ignored" || decoded.kind === "rejected") return undefined;
    const resolved = resolve(decoded, (resourceId) => this.#state.lastPeerOf(resourceId));
    return "kind" in resolved ? undefined : resolved;
  }
}

class RedecodedState implements DesiredLookup {
  readonly #peers = new Map<PeerId, DesiredPeer>();
  readonly #holders = new Map<ResourceId, PeerId>();
  /** Also after its peer has lost the resource id. */
  readonly #lastPeers = new Map<ResourceId, PeerId>();

  constructor(peers: Iterable<DesiredPeer>) {
    for (const peer of peers) this.set(peer);
  }

  peer(peerId: PeerId): DesiredPeer | undefined {
    return this.#peers.get(peerId);
  }

  peerOfResource(resourceId: ResourceId): PeerId | undefined {
    return this.#holders.get(resourceId);
  }

  lastPeerOf(resourceId: ResourceId): PeerId | undefined {
    return this.#lastPeers.get(resourceId);
  }

  peers(): Iterable<DesiredPeer> {
    return this.#peers.values();
  }

  set(peer: DesiredPeer): void {
    const { peerId, resourceId } = peer;
    const lost = this.#peers.get(peerId)?.resourceId ?? null;
    if (lost !== null && this.#holders.get(lost) === peerId) this.#holders.delete(lost);
    if (resourceId !== null) {
      this.#holders.set(resourceId, peerId);
      this.#lastPeers.set(resourceId, peerId);
    }
    this.#peers.set(peerId, peer);
  }
}

/** Words of the program itself, for a peer without a relation of its own. */
const OWN_RELATIONS: readonly string[] = ["REMOVED", "SUPERSEDED"];

function differs(wanted: DesiredPeer, found: DesiredPeer | undefined): boolean {
  if (found === undefined) return wanted.standing !== "revoked";
  if (wanted.standing !== found.standing || wanted.address !== found.address) return true;
  return wanted.relation !== found.relation && !OWN_RELATIONS.includes(wanted.relation);
}

function eventFor(peer: DesiredPeer): DesiredEvent {
  if (OWN_RELATIONS.includes(peer.relation)) return removalOf(peer);
  const { peerId, resourceId, did, name, relation, standing, address } = peer;
  return { type: "PeerDesired", peerId, resourceId, did, name, relation, standing, address };
}

function removalOf({ peerId, did }: DesiredPeer): DesiredEvent {
  return { type: "PeerRemoved", peerId, resourceId: null, did };
}
