/** Decodes the log's messages again under other `events` settings, and finds the peers whose state would differ. Pure. */
import { isDeepStrictEqual } from "node:util";
import type { PeerId, ResourceId } from "../../base/ids.ts";
import { decodeMessage } from "../../events/decode.ts";
import { resolve } from "../../events/resolve.ts";
import type { DesiredEvent, DesiredPeer } from "../../events/types.ts";
import type { EventSettings } from "../../events/vocabulary.ts";
import { withWellFormedText } from "../../events/well-formed.ts";
import { eventOf, type LogRow } from "../model/log-entry.ts";
import { RedecodedState } from "./redecoded-state.ts";

/** A peer whose state differs under the new settings, and the event to append for it. */
export interface Reinterpreted {
  readonly event: DesiredEvent;
  /** The message that decides it. */
  readonly causeSeq: number;
  /** The peer before the event; undefined for a peer of which no event was accepted. */
  readonly before: DesiredPeer | undefined;
}

/** The log where it begins. */
export interface ReinterpretationStart {
  /** The peers as the archives left them. */
  readonly archived: Iterable<DesiredPeer>;
  /** The peer that a resource id last named in an archive. */
  readonly archivedPeerOf: (resourceId: ResourceId) => PeerId | undefined;
  /** Rows of an earlier `reinterpret` whose cause is in an archive, in order: they are what that message now means. */
  readonly restated: Iterable<LogRow>;
}

export class Reinterpretation {
  readonly #settings: EventSettings;
  /** As JSON, which is how the log records settings. */
  readonly #plainSettings: unknown;
  /** As the log has it. */
  readonly #found: RedecodedState;
  /** As it would be under the new settings. */
  #wanted: RedecodedState;
  #decoded = 0;
  #kept = 0;

  constructor(settings: EventSettings, { archived, archivedPeerOf, restated }: ReinterpretationStart) {
    this.#settings = settings;
    this.#plainSettings = JSON.parse(JSON.stringify(settings));
    this.#found = new RedecodedState(archived, archivedPeerOf);
    this.#wanted = this.#found.copy();
    for (const row of restated) this.#wanted.fold(desiredEventOf(row), atMessage(row));
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
    const logged = desiredEventOf(row);
    this.#found.fold(logged, atMessage(row));
    this.#wanted.fold(this.#meaningOf(row, logged), row);
    if (this.#isDecodedUpTo(row)) this.#wanted = this.#found.copy();
  }

  /**
   * The events that turn the log's peers into those wanted, in the order of the messages that decide them. An event that gives a
   * resource id back takes it from another peer, which may then need an event too.
   */
  changes(): readonly Reinterpreted[] {
    const state = this.#found.copy();
    const changes: Reinterpreted[] = [];
    for (;;) {
      const round = this.#differences(state);
      if (round.length === 0) return changes;
      for (const { event, causeSeq } of round) {
        const before = state.peer(event.peerId);
        // The event of another peer may have done it.
        if (!this.#isWrong(event.peerId, before)) continue;
        changes.push({ event, causeSeq, before });
        state.fold(event, { seq: causeSeq, atMs: 0 });
      }
    }
  }

  /** Empty once every event has been folded in: only the peer that is to hold a resource id names it, so none goes back and forth. */
  #differences(state: RedecodedState): Omit<Reinterpreted, "before">[] {
    const wanted = [...this.#wanted.peers()].filter(({ peerId }) => this.#isWrong(peerId, state.peer(peerId)));
    const gone = [...state.peers()].filter((peer) => !this.#wanted.peer(peer.peerId) && this.#isWrong(peer.peerId, peer));
    return [
      ...wanted.map((peer) => ({ event: eventFor(peer), causeSeq: causeOf(peer, state.peer(peer.peerId)) })),
      ...gone.map((peer) => ({ event: removalOf({ ...peer, resourceId: null }), causeSeq: peer.generation })),
    ].sort((one, other) => one.causeSeq - other.causeSeq);
  }

  #isWrong(peerId: PeerId, found: DesiredPeer | undefined): boolean {
    const wanted = this.#wanted.peer(peerId);
    if (wanted === undefined || found === undefined) return (wanted ?? found)?.standing !== "revoked";
    return differs(wanted, found);
  }

  /** The event that a row's message is under the new settings; undefined if it is none, or the row is not a message. */
  #meaningOf({ subject, payload, payloadBytes, reason }: LogRow, logged: DesiredEvent | undefined): DesiredEvent | undefined {
    // An outdated message arrived after a newer one about the same peer.
    if (subject === null || payload === null || reason === "outdated") return undefined;
    if (payload.byteLength !== payloadBytes) {
      this.#kept += 1;
      return logged;
    }
    this.#decoded += 1;
    const decoded = decodeMessage({ subject, bytes: payload }, this.#settings, this.#settings);
    if (decoded.kind === "ignored" || decoded.kind === "rejected") return undefined;
    const resolved = resolve(withWellFormedText(decoded), (resourceId) => this.#wanted.lastPeerOf(resourceId));
    return "kind" in resolved ? undefined : resolved;
  }

  /** True if the row says that the log up to it has already been decoded under these settings. */
  #isDecodedUpTo(row: LogRow): boolean {
    if (row.type !== "LogReinterpreted") return false;
    const event = eventOf(row);
    return event.type === "LogReinterpreted" && isDeepStrictEqual(event.details.vocabulary, this.#plainSettings);
  }
}

function desiredEventOf(row: LogRow): DesiredEvent | undefined {
  if (row.type !== "PeerDesired" && row.type !== "PeerRemoved") return undefined;
  const event = eventOf(row);
  return event.type === "PeerDesired" || event.type === "PeerRemoved" ? event : undefined;
}

/** The place of the message behind a row: the row itself, or the one that `reinterpret` decoded again. */
const atMessage = ({ seq, causeSeq, atMs }: LogRow) => ({ seq: causeSeq ?? seq, atMs });

/** Words of the program itself, for a peer without a relation of its own. */
const OWN_RELATIONS: readonly string[] = ["REMOVED", "SUPERSEDED"];

const isOwn = ({ relation, standing }: DesiredPeer) => standing === "revoked" && OWN_RELATIONS.includes(relation);

function differs(wanted: DesiredPeer, found: DesiredPeer): boolean {
  return hasOtherRelation(wanted, found) || isOther("resourceId", wanted, found);
}

function hasOtherRelation(wanted: DesiredPeer, found: DesiredPeer): boolean {
  if (wanted.standing !== found.standing) return true;
  return (!isOwn(wanted) && wanted.relation !== found.relation) || isOther("address", wanted, found);
}

/** Those of a revoked peer decide nothing, and no event can take one away. */
function isOther(field: "address" | "resourceId", wanted: DesiredPeer, found: DesiredPeer): boolean {
  return wanted.standing !== "revoked" && wanted[field] !== null && wanted[field] !== found[field];
}

function causeOf(wanted: DesiredPeer, found: DesiredPeer | undefined): number {
  return found === undefined || hasOtherRelation(wanted, found) ? wanted.generation : wanted.desiredSeq;
}

function eventFor(peer: DesiredPeer): DesiredEvent {
  if (isOwn(peer)) return removalOf(peer);
  const { peerId, resourceId, did, name, relation, standing, address } = peer;
  return { type: "PeerDesired", peerId, resourceId, did, name, relation, standing, address };
}

function removalOf({ peerId, resourceId, did }: DesiredPeer): DesiredEvent {
  return { type: "PeerRemoved", peerId, resourceId, did };
}
