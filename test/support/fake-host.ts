/** PartnerStreams on the fake network, with the rules of the real ones. */
import { PartnerdError } from "../../src/errors.ts";
import type { DesiredPeer } from "../../src/events/types.ts";
import type { Did, PeerId } from "../../src/ids.ts";
import { Attempt, abortable } from "../../src/p2p/abortable.ts";
import { CHALLENGE_TIMEOUT_MS, FIRST_HEARTBEAT_TIMEOUT_MS, PARTNER_PROTOCOL } from "../../src/p2p/constants.ts";
import { LeaseClock } from "../../src/p2p/lease-clock.ts";
import type { StreamKey, StreamObserver } from "../../src/p2p/registry.ts";
import { StreamRegistry } from "../../src/p2p/registry.ts";
import type { PartnerRule } from "../../src/p2p/rule.ts";
import { inboundRefused, refusalBy } from "../../src/p2p/rule.ts";
import type { ActualPeer, CloseRequest, PartnerStreams } from "../../src/reconciler/ports.ts";
import type { FakeEnd, FakeStream, FakeStreamEnd, Frame } from "./fake-connection.ts";
import type { FakeNetwork } from "./fake-network.ts";

export interface FakeHostInit {
  readonly peerId: PeerId;
  readonly did: Did;
  readonly rule: PartnerRule;
  readonly observer: StreamObserver;
}

export class FakeHost implements PartnerStreams {
  readonly peerId: PeerId;
  readonly #network: FakeNetwork;
  readonly #did: Did;
  readonly #rule: PartnerRule;
  readonly #observer: StreamObserver;
  readonly #leaseClock: LeaseClock;
  readonly #registry: StreamRegistry<FakeStream>;
  readonly #ends = new Map<PeerId, Set<FakeEnd>>();
  readonly #attempts = new Map<PeerId, Attempt>();
  readonly #unproven = new Map<FakeStream, Disposable>();
  readonly #lastSignOfLifeMs = new Map<PeerId, number>();
  /** How often each peer was dialled, for tests of backoff. */
  readonly dials = new Map<PeerId, number>();

  constructor(network: FakeNetwork, init: FakeHostInit) {
    this.#network = network;
    this.peerId = init.peerId;
    this.#did = init.did;
    this.#rule = init.rule;
    this.#observer = init.observer;
    const { clock, random } = network;
    this.#leaseClock = new LeaseClock(clock);
    this.#registry = new StreamRegistry({ clock, random, leaseTime: this.#leaseClock, observer: init.observer });
  }

  actual(peerId: PeerId): ActualPeer {
    return {
      peerId,
      ...this.#registry.actual(PARTNER_PROTOCOL, peerId),
      connected: this.#ends.has(peerId),
      lastSignOfLifeMs: this.#lastSignOfLifeMs.get(peerId) ?? null,
    };
  }

  peers(): readonly PeerId[] {
    return this.#registry.peers(PARTNER_PROTOCOL);
  }

  async open(peer: DesiredPeer, signal: AbortSignal): Promise<void> {
    const { peerId } = peer;
    using attempt = new Attempt(signal);
    this.#attempts.set(peerId, attempt);
    let stream: FakeStream | undefined;
    try {
      attempt.signal.throwIfAborted();
      const reused = this.#endsOf(peerId).find((candidate) => !candidate.suspect);
      const end = reused ?? (await this.#dial(peer, attempt.signal));
      attempt.signal.throwIfAborted();
      stream = end.newStream();
      await this.#negotiate(stream, attempt, reused !== undefined);
      this.#sendHeartbeat(stream);
      await this.#proveAlive(end, attempt.signal);
      attempt.signal.throwIfAborted();
      const established = stream;
      established.onEnd = (reason) => this.#registry.close(keyOf("outbound", peerId), reason, established);
      this.#registry.register(keyOf("outbound", peerId), established, peer.did);
      for (const suspect of this.#endsOf(peerId)) if (suspect.suspect) suspect.abort();
    } catch (error) {
      stream?.abort();
      throw error;
    } finally {
      if (this.#attempts.get(peerId) === attempt) this.#attempts.delete(peerId);
    }
  }

  async renew(peerId: PeerId, signal: AbortSignal): Promise<void> {
    const stream = this.#registry.get(keyOf("outbound", peerId));
    if (stream === undefined) throw new PartnerdError("stream_lost", `no outbound stream to ${peerId}`);
    signal.throwIfAborted();
    this.#sendHeartbeat(stream);
    await this.#proveAlive(stream.end, signal);
    signal.throwIfAborted();
    if (!this.#registry.renew(keyOf("outbound", peerId), stream)) throw new PartnerdError("stream_lost", "stream ended");
  }

  close(peerId: PeerId, request: CloseRequest): void {
    if (request.direction !== "inbound") {
      this.#attempts.get(peerId)?.cancel(new PartnerdError("aborted", `open was cancelled: ${request.reason}`));
      this.#registry.close(keyOf("outbound", peerId), request.reason);
    }
    if (request.direction !== "outbound") this.#registry.close(keyOf("inbound", peerId), request.reason);
    if (request.direction !== "both") return;
    for (const stream of this.#unproven.keys()) if (stream.end.remotePeerId === peerId) this.#refuse(stream);
    this.#lastSignOfLifeMs.delete(peerId);
    for (const end of this.#endsOf(peerId)) {
      if (request.dropConnections || end.suspect || (end.direction === "outbound" && end.streams.size === 0)) end.abort();
    }
  }

  dispose(): void {
    this.#leaseClock[Symbol.dispose]();
    for (const attempt of this.#attempts.values()) attempt.cancel(new PartnerdError("aborted", "host is shutting down"));
    for (const peerId of this.peers()) {
      for (const direction of ["outbound", "inbound"] as const) this.#registry.close(keyOf(direction, peerId), "shutdown");
    }
    for (const stream of this.#unproven.keys()) this.#refuse(stream);
    for (const peerId of this.#ends.keys()) for (const end of this.#endsOf(peerId)) end.abort();
  }

  /** Half-closes the stream that `peerId` writes to us, as a Go partner's `Stream.Close()` does. */
  finishInbound(peerId: PeerId): void {
    this.#registry.get(keyOf("inbound", peerId))?.send("fin");
  }

  /** The network has connected us. */
  connected(end: FakeEnd): void {
    const ends = this.#ends.get(end.remotePeerId) ?? new Set();
    this.#ends.set(end.remotePeerId, ends.add(end));
    if (end.direction === "outbound") return;
    const refusal = refusalBy(this.#rule, end.remotePeerId);
    if (refusal?.code === "blacklisted") {
      end.abort();
      this.#observer.observed(inboundRefused(end.remotePeerId, refusal));
    } else this.#signOfLife(end.remotePeerId);
  }

  disconnected(end: FakeEnd): void {
    const ends = this.#ends.get(end.remotePeerId);
    ends?.delete(end);
    if (ends?.size === 0) this.#ends.delete(end.remotePeerId);
  }

  /** The network delivers. */
  received(end: FakeEnd, frame: Frame): void {
    switch (frame.kind) {
      case "ping":
        end.send({ kind: "pong" });
        break;
      case "pong":
        this.#receivedPong(end);
        break;
      case "close":
        end.lose();
        break;
      case "open":
        this.#accept(end.newStream(frame.streamId));
        break;
      case "fin":
        end.streams.get(frame.streamId)?.ended("remote_closed");
        break;
      case "reset":
        end.streams.get(frame.streamId)?.ended("reset");
        break;
      case "challenge":
        end.streams.get(frame.streamId)?.send("echo");
        break;
      case "accepted":
      case "heartbeat":
      case "echo":
        end.streams.get(frame.streamId)?.onFrame(frame);
        break;
    }
  }

  async #dial(peer: DesiredPeer, signal: AbortSignal): Promise<FakeEnd> {
    if (peer.address === null) throw new PartnerdError("address_unsupported", `peer ${peer.peerId} has no address`);
    this.dials.set(peer.peerId, (this.dials.get(peer.peerId) ?? 0) + 1);
    const dialled = this.#network.dial(this, peer.address, peer.peerId);
    const connection = await abortable(dialled, signal, (late) => late.ends[0].abort());
    return connection.ends[0];
  }

  async #negotiate(stream: FakeStream, attempt: Attempt, reused: boolean): Promise<void> {
    const ended = (reason: FakeStreamEnd) => {
      const code = reused && reason === "connection_lost" ? "stream_lost" : "refused";
      attempt.cancel(new PartnerdError(code, `far end ended the stream: ${reason}`));
    };
    stream.onEnd = ended;
    if (!stream.end.open) ended("connection_lost");
    const accepted = new Promise<void>((resolve) => {
      stream.onFrame = () => resolve();
    });
    stream.end.send({ kind: "open", streamId: stream.id });
    await this.#unlessSuspect(stream.end, abortable(accepted, attempt.signal));
  }

  #sendHeartbeat(stream: FakeStream): void {
    stream.end.send({ kind: "heartbeat", streamId: stream.id, claimed: this.peerId, did: this.#did });
  }

  async #proveAlive(end: FakeEnd, signal: AbortSignal): Promise<void> {
    const pong = new Promise<void>((resolve) => {
      end.pingWaiters.push(resolve);
    });
    this.#ping(end);
    await this.#unlessSuspect(end, abortable(pong, signal));
  }

  /** Whoever gives up waiting leaves the connection suspect, with a ping under way that clears it. */
  async #unlessSuspect(end: FakeEnd, work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      end.suspect = true;
      this.#ping(end);
      throw error;
    }
  }

  #ping(end: FakeEnd): void {
    if (end.pingPending) return;
    end.pingPending = true;
    end.send({ kind: "ping" });
  }

  #receivedPong(end: FakeEnd): void {
    const { pingWaiters, suspect } = end;
    Object.assign(end, { pingPending: false, suspect: false, pingWaiters: [] });
    for (const resolve of pingWaiters) resolve();
    if (suspect) this.#signOfLife(end.remotePeerId);
  }

  #accept(stream: FakeStream): void {
    const { clock } = this.#network;
    stream.send("accepted");
    const deadline = clock.schedule(FIRST_HEARTBEAT_TIMEOUT_MS + CHALLENGE_TIMEOUT_MS, () => {
      this.#refuse(stream, new PartnerdError("challenge_failed", "no answer"));
    });
    this.#unproven.set(stream, deadline);
    stream.onEnd = () => this.#settle(stream);
    stream.onFrame = (frame) => {
      if (frame.kind === "heartbeat") this.#firstHeartbeat(stream, frame);
    };
    if (this.#refusal(stream) !== undefined) this.#refuse(stream);
  }

  #firstHeartbeat(stream: FakeStream, heartbeat: Frame & { kind: "heartbeat" }): void {
    const peerId = stream.end.remotePeerId;
    if (heartbeat.claimed !== peerId) {
      this.#refuse(stream, new PartnerdError("peer_id_mismatch", `${peerId} claims to be ${heartbeat.claimed}`));
      return;
    }
    stream.onFrame = (frame) => {
      if (frame.kind !== "echo") return;
      if (this.#refusal(stream) !== undefined) this.#refuse(stream);
      else this.#admit(stream, heartbeat.did);
    };
    stream.send("challenge");
  }

  #admit(stream: FakeStream, did: Did): void {
    const peerId = stream.end.remotePeerId;
    const key = keyOf("inbound", peerId);
    this.#settle(stream);
    stream.onEnd = (reason) => this.#registry.close(key, reason, stream);
    stream.onFrame = (frame) => {
      if (frame.kind === "heartbeat") this.#registry.renew(key, stream);
    };
    this.#registry.register(key, stream, did);
    this.#signOfLife(peerId);
  }

  #refusal(stream: FakeStream): PartnerdError | undefined {
    return refusalBy(this.#rule, stream.end.remotePeerId);
  }

  #refuse(stream: FakeStream, error = this.#refusal(stream)): void {
    if (!this.#settle(stream)) return;
    stream.abort();
    if (error !== undefined) this.#observer.observed(inboundRefused(stream.end.remotePeerId, error));
  }

  #settle(stream: FakeStream): boolean {
    this.#unproven.get(stream)?.[Symbol.dispose]();
    return this.#unproven.delete(stream);
  }

  #signOfLife(peerId: PeerId): void {
    if (this.#rule.mayOpen(peerId) !== "ok") return;
    this.#lastSignOfLifeMs.set(peerId, this.#network.clock.monotonicMs());
    this.#observer.wake(peerId);
  }

  #endsOf(peerId: PeerId): readonly FakeEnd[] {
    return [...(this.#ends.get(peerId) ?? [])];
  }
}

const keyOf = (direction: "outbound" | "inbound", peerId: PeerId): StreamKey => ({
  protocol: PARTNER_PROTOCOL,
  peerId,
  direction,
});
