/**
 * The established partner streams and their leases: `streams[protocol][peerId]` holds one outbound and one inbound slot.
 * All transitions go through here: each is reported exactly once and wakes its key.
 */
import { type Clock, jittered, type Random } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import type { Did, PeerId } from "../../base/ids.ts";
import { RecentMap } from "../../base/recent-map.ts";
import type { LearnedFacts } from "../../events/learned/learned-facts.ts";
import type { AttemptId, CloseReason, Direction, ObservedEvent } from "../../events/types.ts";
import type { ActualPeer, Attempt } from "../../reconciler/ports.ts";
import { HEARTBEAT_JITTER, HEARTBEAT_PERIOD_MS, LEASE_MS, MAX_REMEMBERED_PEERS } from "../wire/constants.ts";
import type { LeaseTime } from "./lease-clock.ts";

/** Receives transitions and faults. None of its functions throws. */
export interface StreamObserver {
  observed(event: ObservedEvent): void;
  /** A fault of our own ended work on a stream of this peer. It says nothing about the peer, so no event is observed. */
  faulted(peerId: PeerId, error: PartnerdError): void;
  /** The error behind an InboundRefused. Its cause may quote the far end, so it is for the debug level of the service log only. */
  explained?(peerId: PeerId, error: PartnerdError): void;
  /** A peer's program has shown these facts. Those of an inbound stream come after its StreamOpened, or before its InboundRefused. */
  learned?(peerId: PeerId, facts: Partial<LearnedFacts>): void;
  /** Something about this peer has changed, or it has shown life: the reconciler should look again. */
  wake(peerId: PeerId): void;
}

/** A slot: one direction of one protocol with one peer. */
export interface StreamKey {
  readonly protocol: string;
  readonly peerId: PeerId;
  readonly direction: Direction;
}

/** A stream that carries heartbeats. `abort` resets it at once and does not throw. */
export interface AbortableStream {
  abort(error: Error): void;
}

/** A stream for status. Wall-clock ms. */
interface StreamSnapshot {
  readonly did: Did | null;
  readonly openedAtMs: number;
  readonly expiresAtMs: number;
  /** False if the far end does not speak the challenge's protocol, so that it has not been challenged. */
  readonly proven: boolean;
}

export interface PeerSnapshot {
  readonly peerId: PeerId;
  readonly outbound: StreamSnapshot | null;
  readonly inbound: StreamSnapshot | null;
}

interface RegistryEntry<Stream> {
  readonly did: Did | null;
  readonly attempt: AttemptId | null;
  readonly stream: Stream;
  readonly proven: boolean;
  readonly openedAtMs: number;
  readonly openedAtWallMs: number;
  /** In lease time. */
  expiresAtLeaseMs: number;
  renewAtMs: number;
}

type Slots<Stream> = Partial<Record<Direction, RegistryEntry<Stream>>>;

export interface RegistryComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly leaseTime: LeaseTime;
  readonly observer: Pick<StreamObserver, "observed" | "wake">;
}

export class StreamRegistry<Stream extends AbortableStream> {
  readonly #components: RegistryComponents;
  readonly #streams = new Map<string, Map<PeerId, Slots<Stream>>>();
  /** By protocol and peer. */
  readonly #lastOutboundClose = new RecentMap<string, CloseReason>(MAX_REMEMBERED_PEERS);

  constructor(components: RegistryComponents) {
    this.#components = components;
  }

  /** `closed -> established`. A stream already in the slot is closed as `replaced`. `attempt` is of an outbound stream. */
  register(key: StreamKey, stream: Stream, did: Did | null, attempt: Attempt | null, proven = true): void {
    const { clock, observer } = this.#components;
    const slots = this.#slotsOf(key) ?? this.#addSlots(key);
    const older = slots[key.direction];
    const entry: RegistryEntry<Stream> = {
      did,
      attempt: attempt?.id ?? null,
      stream,
      proven,
      openedAtMs: clock.monotonicMs(),
      openedAtWallMs: clock.wallMs(),
      expiresAtLeaseMs: 0,
      renewAtMs: 0,
    };
    this.#extend(entry);
    slots[key.direction] = entry;
    if (older !== undefined) this.#finish(key, older, "replaced");
    const durationMs = attempt && Math.round(entry.openedAtMs - attempt.startedAtMs);
    observer.observed({ type: "StreamOpened", ...key, did, attempt: entry.attempt, durationMs });
    observer.wake(key.peerId);
  }

  /** `established -> established`: extends the lease to now + 10 s. False if the slot no longer holds this stream. */
  renew(key: StreamKey, stream: Stream): boolean {
    const entry = this.#slotsOf(key)?.[key.direction];
    if (entry?.stream !== stream) return false;
    this.#extend(entry);
    return true;
  }

  /** `established -> closed`: deletes, aborts and reports. With `stream`, only if the slot holds it. False if nothing was closed. */
  close(key: StreamKey, reason: CloseReason, stream?: Stream): boolean {
    const slots = this.#slotsOf(key);
    const entry = slots?.[key.direction];
    if (slots === undefined || entry === undefined || (stream !== undefined && entry.stream !== stream)) return false;
    delete slots[key.direction];
    if (slots.outbound === undefined && slots.inbound === undefined) this.#deleteSlots(key);
    this.#finish(key, entry, reason);
    this.#components.observer.wake(key.peerId);
    return true;
  }

  get(key: StreamKey): Stream | undefined {
    return this.#slotsOf(key)?.[key.direction]?.stream;
  }

  peers(protocol: string): readonly PeerId[] {
    return [...(this.#streams.get(protocol)?.keys() ?? [])];
  }

  /** Expiries in monotonic ms: now plus the rest of the lease. */
  actual(protocol: string, peerId: PeerId): Pick<ActualPeer, "outbound" | "inbound" | "lastOutboundClose"> {
    const slots = this.#streams.get(protocol)?.get(peerId);
    const nowMs = this.#components.clock.monotonicMs();
    const lease = (entry: RegistryEntry<Stream>) => ({
      openedAtMs: entry.openedAtMs,
      expiresAtMs: nowMs + this.#remainingMs(entry),
      renewAtMs: entry.renewAtMs,
    });
    const outbound = slots?.outbound;
    const inbound = slots?.inbound && lease(slots.inbound);
    return {
      outbound: outbound === undefined ? null : { ...lease(outbound), attempt: outbound.attempt },
      inbound: inbound === undefined ? null : { openedAtMs: inbound.openedAtMs, expiresAtMs: inbound.expiresAtMs },
      lastOutboundClose: this.#lastOutboundClose.get(`${protocol} ${peerId}`) ?? null,
    };
  }

  /** For status only; decisions use `actual`. */
  *snapshot(protocol: string): Generator<PeerSnapshot, void> {
    const nowMs = this.#components.clock.wallMs();
    const seen = (entry: RegistryEntry<Stream> | undefined): StreamSnapshot | null =>
      entry === undefined
        ? null
        : {
            did: entry.did,
            openedAtMs: entry.openedAtWallMs,
            expiresAtMs: nowMs + this.#remainingMs(entry),
            proven: entry.proven,
          };
    for (const [peerId, slots] of this.#streams.get(protocol) ?? []) {
      yield { peerId, outbound: seen(slots.outbound), inbound: seen(slots.inbound) };
    }
  }

  #extend(entry: RegistryEntry<Stream>): void {
    const { clock, random, leaseTime } = this.#components;
    entry.expiresAtLeaseMs = leaseTime.nowMs() + LEASE_MS;
    entry.renewAtMs = clock.monotonicMs() + jittered(random, HEARTBEAT_PERIOD_MS, HEARTBEAT_JITTER);
  }

  #remainingMs(entry: RegistryEntry<Stream>): number {
    return entry.expiresAtLeaseMs - this.#components.leaseTime.nowMs();
  }

  /** Aborting may call back synchronously. By then the slot no longer holds the entry, so nothing is reported twice. */
  #finish(key: StreamKey, entry: RegistryEntry<Stream>, reason: CloseReason): void {
    if (key.direction === "outbound") this.#lastOutboundClose.set(`${key.protocol} ${key.peerId}`, reason);
    entry.stream.abort(new PartnerdError("aborted", `${key.direction} stream closed: ${reason}`));
    const { clock, observer } = this.#components;
    const durationMs = Math.round(clock.monotonicMs() - entry.openedAtMs);
    observer.observed({ type: "StreamClosed", ...key, reason, attempt: entry.attempt, durationMs, durationClock: "monotonic" });
  }

  #slotsOf(key: StreamKey): Slots<Stream> | undefined {
    return this.#streams.get(key.protocol)?.get(key.peerId);
  }

  #addSlots(key: StreamKey): Slots<Stream> {
    const slots: Slots<Stream> = {};
    const peers = this.#streams.get(key.protocol) ?? new Map<PeerId, Slots<Stream>>();
    this.#streams.set(key.protocol, peers.set(key.peerId, slots));
    return slots;
  }

  #deleteSlots(key: StreamKey): void {
    this.#streams.get(key.protocol)?.delete(key.peerId);
  }
}
