/**
 * Decides which connections may exist. Partners have reserved places; strangers and unfinished handshakes have few, and yield: idle
 * ones first, then those from the address that has the most.
 */
import type { Clock } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import type { AddressGroup } from "../../base/net/address-group.ts";
import { TokenBucket } from "../../base/rate/token-bucket.ts";
import { RecentMap } from "../../base/recent-map.ts";
import { MAX_REMEMBERED_PEERS } from "../wire/constants.ts";
import type { ConnectionLimits } from "./connection-limits.ts";
import { ConnectionPool } from "./connection-pool.ts";

/** A connection as the table sees it. */
export interface Guest {
  readonly group: AddressGroup;
  /** True until the far end sends its first byte. */
  isSilent(): boolean;
  /** True while it carries a partner stream. */
  isBusy(): boolean;
  /** Closes the connection at once. */
  evict(reason: PartnerdError): void;
}

/** The place of a connection. Release it when the connection has closed. */
export interface Place extends Guest {
  readonly since: number;
  /** Undefined until the peer has proved who it is. */
  peerId: PeerId | undefined;
}

export interface ConnectionCounts {
  readonly total: number;
  readonly strangers: number;
  readonly handshakes: number;
  /** Since the start: connections that were refused a place, and those of them that partners had asked for. */
  readonly refused: number;
  readonly refusedPartners: number;
  /** Since the start: connections that were closed to make room. */
  readonly evicted: number;
}

export interface TableInit {
  readonly limits: ConnectionLimits;
  readonly clock: Clock;
  /** Asked at every decision. */
  readonly isPartner: (peerId: PeerId) => boolean;
}

/** A handshake that is making progress may take this long before it yields to a newer one. */
const HANDSHAKE_GRACE_MS = 2_000;

export class ConnectionTable {
  readonly #init: TableInit;
  readonly #strangers: ConnectionPool<Place>;
  readonly #handshakes: ConnectionPool<Place>;
  readonly #handshakesOfPartners: ConnectionPool<Place>;
  readonly #handshakeRate: TokenBucket;
  readonly #handshakeRateOfPartners: TokenBucket;
  /** Every peer's connections, in order of age. */
  readonly #byPeer = new Map<PeerId, Set<Place>>();
  /** Addresses at which a partner was last seen or dialled. */
  readonly #partnerAt = new RecentMap<AddressGroup, PeerId>(MAX_REMEMBERED_PEERS);
  readonly #places = new Set<Place>();
  #dials = 0;
  #refused = 0;
  #refusedPartners = 0;
  #evicted = 0;

  constructor(init: TableInit) {
    const { limits } = init;
    this.#init = init;
    this.#strangers = new ConnectionPool(limits.strangers);
    this.#handshakes = new ConnectionPool(limits.handshakes);
    this.#handshakesOfPartners = new ConnectionPool(limits.handshakesOfPartners);
    this.#handshakeRate = new TokenBucket(limits.handshakeRate);
    this.#handshakeRateOfPartners = new TokenBucket(limits.handshakeRateOfPartners);
  }

  get limits(): ConnectionLimits {
    return this.#init.limits;
  }

  counts(): ConnectionCounts {
    return {
      total: this.#places.size + this.#dials,
      strangers: this.#strangers.size,
      handshakes: this.#handshakes.size + this.#handshakesOfPartners.size,
      refused: this.#refused,
      refusedPartners: this.#refusedPartners,
      evicted: this.#evicted,
    };
  }

  /** A partner is expected at this address. */
  expect(group: AddressGroup, peerId: PeerId): void {
    this.#partnerAt.set(group, peerId);
  }

  /** An inbound connection has been accepted. Throws PartnerdError `too_many_connections`; nothing is kept then. */
  arrived(guest: Guest): Place {
    const { clock } = this.#init;
    const nowMs = clock.monotonicMs();
    const isExpected = this.#isExpected(guest.group);
    const pool = isExpected ? this.#handshakesOfPartners : this.#handshakes;
    const mayYield = (place: Place) => yieldsToHandshake(place, nowMs);
    if (pool.isFull && !this.#evict(pool.leastValuable(mayYield)))
      throw this.#refuse(isExpected, `${pool.limit} handshakes are in progress`);
    this.#makeRoom(isExpected, mayYield);
    const place: Place = { ...guest, since: nowMs, peerId: undefined };
    this.#places.add(place);
    pool.add(place);
    return place;
  }

  /** The far end of an inbound connection has sent its first bytes. Throws PartnerdError `too_many_connections` if too many do. */
  handshaking(place: Place): void {
    const isExpected = this.#handshakesOfPartners.has(place);
    const rate = isExpected ? this.#handshakeRateOfPartners : this.#handshakeRate;
    if (!rate.take(1, this.#init.clock.monotonicMs())) throw this.#refuse(isExpected, "handshakes begin too fast");
  }

  /**
   * A dial of ours begins. It counts like a connection until disposed, when its handshake is over. Throws PartnerdError
   * `too_many_connections`.
   */
  dialling(): Disposable {
    this.#makeRoom(true, (place) => yieldsToHandshake(place, this.#init.clock.monotonicMs()));
    let counted = 1;
    this.#dials += counted;
    return {
      [Symbol.dispose]: () => {
        this.#dials -= counted;
        counted = 0;
      },
    };
  }

  /** A dial of ours has connected. The address is the peer's only once the handshake has proved it. */
  dialled(guest: Guest): Place {
    const place: Place = { ...guest, since: this.#init.clock.monotonicMs(), peerId: undefined };
    this.#places.add(place);
    return place;
  }

  /** The peer has proved who it is. Throws PartnerdError `too_many_connections`; the connection must then be closed. */
  identified(place: Place, peerId: PeerId): void {
    const { limits, isPartner } = this.#init;
    // Evicted in the meantime.
    if (!this.#places.has(place)) throw this.#refuse(false, "its place went to another connection");
    const isKnown = isPartner(peerId);
    this.#handshakes.delete(place);
    this.#handshakesOfPartners.delete(place);
    if (isKnown) this.expect(place.group, peerId);
    const others = this.#byPeer.get(peerId) ?? new Set();
    const limit = isKnown ? limits.perPartner : limits.perStranger;
    if (others.size >= limit && !this.#evict([...others].find((other) => !other.isBusy())))
      throw this.#refuse(isKnown, `peer ${peerId} has ${others.size} connections`);
    if (!isKnown) this.#makeRoomForStranger();
    place.peerId = peerId;
    this.#byPeer.set(peerId, (this.#byPeer.get(peerId) ?? new Set()).add(place));
    if (!isKnown) this.#strangers.add(place);
  }

  /** Does nothing if it was released already. */
  release(place: Place): void {
    this.#places.delete(place);
    this.#handshakes.delete(place);
    this.#handshakesOfPartners.delete(place);
    this.#strangers.delete(place);
    if (place.peerId === undefined) return;
    const others = this.#byPeer.get(place.peerId);
    others?.delete(place);
    if (others?.size === 0) this.#byPeer.delete(place.peerId);
  }

  #isExpected(group: AddressGroup): boolean {
    const peerId = this.#partnerAt.get(group);
    return peerId !== undefined && this.#init.isPartner(peerId);
  }

  #makeRoomForStranger(): void {
    if (!this.#strangers.isFull) return;
    this.#forgetBefriended();
    if (!this.#strangers.isFull || this.#evict(this.#strangers.leastValuable((place) => (place.isBusy() ? undefined : 0))))
      return;
    throw this.#refuse(false, `${this.#strangers.limit} strangers have streams`);
  }

  /** A place within the total: taken from a stranger, else from a handshake. */
  #makeRoom(forPartner: boolean, mayYield: (place: Place) => number | undefined): void {
    const { limits } = this.#init;
    if (this.#places.size + this.#dials < limits.total) return;
    this.#forgetBefriended();
    const victim =
      this.#strangers.leastValuable((place) => (place.isBusy() ? (forPartner ? 1 : undefined) : 0)) ??
      this.#handshakes.leastValuable(mayYield) ??
      this.#handshakesOfPartners.leastValuable(mayYield);
    if (!this.#evict(victim)) throw this.#refuse(forPartner, `all ${limits.total} connections are in use`);
  }

  /** Strangers that have become partners no longer compete with strangers. */
  #forgetBefriended(): void {
    for (const place of this.#strangers)
      if (place.peerId !== undefined && this.#init.isPartner(place.peerId)) this.#strangers.delete(place);
  }

  #evict(place: Place | undefined): boolean {
    if (place === undefined) return false;
    this.#evicted += 1;
    this.release(place);
    place.evict(new PartnerdError("too_many_connections", "the connection yields to a newer one"));
    return true;
  }

  #refuse(isPartner: boolean, why: string): PartnerdError {
    this.#refused += 1;
    if (isPartner) this.#refusedPartners += 1;
    return new PartnerdError("too_many_connections", `no place for the connection: ${why}`);
  }
}

/** Silent ones first. One that makes progress yields only after its grace. */
function yieldsToHandshake(place: Place, nowMs: number): number | undefined {
  if (place.isSilent()) return 0;
  return nowMs - place.since > HANDSHAKE_GRACE_MS ? 1 : undefined;
}
