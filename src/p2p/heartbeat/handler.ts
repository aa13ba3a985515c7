/** Inbound partner streams: the peer sends heartbeats, we challenge it. Only streams that passed are registered. */
import { type Clock, deadline, type Random } from "../../base/clock.ts";
import { isFault, PartnerdError, toPartnerdError } from "../../base/errors.ts";
import type { Did, PeerId } from "../../base/ids.ts";
import { abortable } from "../../base/pause.ts";
import type { Cuts } from "../budgets/cuts.ts";
import { peerIdOf } from "../host/connection-index.ts";
import type { HostConnection, HostStream } from "../host/host.ts";
import { type AdmissionPolicy, inboundRefused, refusalBy } from "../registry/admission-policy.ts";
import type { StreamObserver, StreamRegistry } from "../registry/registry.ts";
import { type Heartbeat, HeartbeatDecoder } from "../wire/codec.ts";
import { MAX_UNPROVEN_PER_PEER, MAX_UNPROVEN_TOTAL } from "../wire/constants.ts";
import type { Dialect } from "../wire/dialect.ts";
import { InboundPace } from "./inbound-pace.ts";
import { keyOf, PartnerStream } from "./partner-stream.ts";
import { challenge, challengeUnsupported } from "./probe.ts";

/** `p2p.challenge`. `prefer`: a peer that does not speak the challenge's protocol is admitted without it, as unproven. */
export type ChallengeRule = "require" | "prefer";

export interface HandlerComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly admission: AdmissionPolicy;
  readonly cuts: Cuts;
  readonly registry: StreamRegistry<PartnerStream>;
  readonly observer: Pick<StreamObserver, "observed" | "faulted" | "explained" | "learned">;
  readonly firstHeartbeatTimeoutMs: number;
  readonly challengeTimeoutMs: number;
  readonly challengeRule: ChallengeRule;
  /** A stream of this peer has passed, so the peer is alive. */
  readonly onAdmitted: (peerId: PeerId) => void;
}

/** A stream that has not passed the challenge yet. */
interface UnprovenStream {
  readonly peerId: PeerId;
  readonly stream: PartnerStream;
}

export class HeartbeatHandler {
  readonly #components: HandlerComponents;
  readonly #unproven = new Set<UnprovenStream>();
  readonly #pace: InboundPace;

  constructor(components: HandlerComponents) {
    this.#components = components;
    this.#pace = new InboundPace(components.clock);
  }

  /** The handler of the partner protocol. Returns at once and does not throw; a later failure ends this stream and nothing else. */
  readonly handle = (stream: HostStream, connection: HostConnection): void => {
    const { cuts } = this.#components;
    const unproven = { peerId: peerIdOf(connection.remotePeer), stream: new PartnerStream(stream, connection, cuts) };
    try {
      const { peerId } = unproven;
      const refusal = refusalBy(this.#components.admission, peerId) ?? this.#overload(peerId) ?? this.#pace.refusal(peerId);
      if (refusal !== undefined) this.#refuse(unproven, refusal);
      else void this.#prove(unproven);
    } catch (error) {
      this.#refuse(unproven, toPartnerdError(error));
    }
  };

  /** Aborts the unproven streams of this peer. Reported as refused if the policy refuses the peer by now. */
  cancelUnproven(peerId: PeerId): void {
    for (const unproven of this.#unproven) if (unproven.peerId === peerId) this.#cancel(unproven);
  }

  dispose(): void {
    for (const unproven of this.#unproven) this.#cancel(unproven);
  }

  #cancel(unproven: UnprovenStream): void {
    const refusal = refusalBy(this.#components.admission, unproven.peerId);
    unproven.stream.abort(refusal ?? new PartnerdError("aborted", "the stream was cancelled"));
  }

  #overload(peerId: PeerId): PartnerdError | undefined {
    if (this.#unproven.size >= MAX_UNPROVEN_TOTAL) {
      return new PartnerdError("too_many_streams", `${MAX_UNPROVEN_TOTAL} streams are being challenged already`);
    }
    const ofPeer = [...this.#unproven].filter((unproven) => unproven.peerId === peerId).length;
    if (ofPeer < MAX_UNPROVEN_PER_PEER) return undefined;
    return new PartnerdError("too_many_streams", `${ofPeer} streams of peer ${peerId} are being challenged already`);
  }

  /** Never rejects. */
  async #prove(unproven: UnprovenStream): Promise<void> {
    const { peerId, stream } = unproven;
    const { clock, random, challengeTimeoutMs, admission } = this.#components;
    this.#unproven.add(unproven);
    try {
      const reader = new HeartbeatReader(stream, peerId);
      const did = await this.#firstHeartbeat(reader, stream.ended);
      const proven = await challenge(stream.connection, { clock, random, timeoutMs: challengeTimeoutMs }, stream.ended);
      const learned = () =>
        this.#components.observer.learned?.(peerId, { ...reader.dialect, challenge: proven ? "passed" : "unsupported" });
      if (!proven && this.#components.challengeRule === "require") {
        learned();
        throw challengeUnsupported();
      }
      // No await from here on, so these last checks hold until the stream is registered.
      stream.ended.throwIfAborted();
      const refusal = refusalBy(admission, peerId) ?? this.#pace.refusal(peerId);
      if (refusal !== undefined) throw refusal;
      this.#pace.admitted(peerId);
      this.#admit(unproven, reader, did, proven);
      learned();
    } catch (error) {
      const reason: unknown = stream.ended.aborted && !isFault(error) ? (endedEarly(stream) ?? stream.ended.reason) : error;
      this.#refuse(unproven, toPartnerdError(reason));
    } finally {
      this.#unproven.delete(unproven);
    }
  }

  async #firstHeartbeat(reader: HeartbeatReader, ended: AbortSignal): Promise<Did | null> {
    const { clock, firstHeartbeatTimeoutMs: timeoutMs } = this.#components;
    using limit = deadline(
      clock,
      timeoutMs,
      () => new PartnerdError("heartbeat_missing", `no heartbeat within ${timeoutMs} ms`),
      ended,
    );
    return (await abortable(reader.first, limit.signal)).did;
  }

  #admit({ peerId, stream }: UnprovenStream, reader: HeartbeatReader, did: Did | null, proven: boolean): void {
    const { registry, onAdmitted } = this.#components;
    const key = keyOf("inbound", peerId);
    stream.onRemoteEnd = (reason) => registry.close(key, reason, stream);
    reader.onHeartbeat = () => registry.renew(key, stream);
    reader.onViolation = () => registry.close(key, "protocol_violation", stream);
    reader.onFault = (error) => this.#components.observer.faulted(peerId, error);
    registry.register(key, stream, did, null, proven);
    onAdmitted(peerId);
  }

  /** Only a refusal is observed: not a stream that the peer ended itself or that we cancelled, and not a fault of our own. */
  #refuse({ peerId, stream }: UnprovenStream, error: PartnerdError): void {
    const { observer } = this.#components;
    stream.abort(error);
    if (isFault(error)) observer.faulted(peerId, error);
    else if (error.code !== "stream_lost" && error.code !== "aborted") {
      observer.observed(inboundRefused(peerId, error));
      observer.explained?.(peerId, error);
    }
  }
}

/** Some far ends open a stream for each heartbeat. The end of a connection is no such choice. */
function endedEarly({ remoteEnd, connection }: PartnerStream): PartnerdError | undefined {
  if (connection.status !== "open" || (remoteEnd !== "remote_closed" && remoteEnd !== "reset")) return undefined;
  const message = "the peer ended its stream before it had answered the challenge";
  return new PartnerdError("ended_early", message, {
    nextStep: "keep one stream open and write a heartbeat to it every few seconds",
    details: { remoteEnd },
  });
}

/** Decodes bytes as they arrive, so it buffers no more than one unfinished heartbeat. */
class HeartbeatReader {
  /** The first heartbeat. Never rejects: a violation or a fault before it aborts the stream. */
  readonly first: Promise<Heartbeat>;
  onHeartbeat: () => void = () => {};
  /** The peer broke the protocol. */
  onViolation: (error: PartnerdError) => void;
  /** Reading failed through no fault of the peer. Nothing more is read, so the lease of an established stream runs out. */
  onFault: (error: PartnerdError) => void;

  readonly #decoder: HeartbeatDecoder;

  constructor(stream: PartnerStream, peerId: PeerId) {
    const { promise, resolve } = Promise.withResolvers<Heartbeat>();
    this.first = promise;
    this.onViolation = (error) => stream.abort(error);
    this.onFault = (error) => stream.abort(error);
    let isReading = true;
    const decoder = new HeartbeatDecoder(peerId);
    this.#decoder = decoder;
    stream.read((chunk) => {
      if (!isReading) return;
      try {
        for (const heartbeat of decoder.decode(chunk)) {
          checkClaim(heartbeat, peerId);
          resolve(heartbeat);
          this.onHeartbeat();
        }
      } catch (thrown) {
        isReading = false;
        const error = toPartnerdError(thrown);
        if (isFault(error)) this.onFault(error);
        else this.onViolation(error);
      }
    });
  }

  /** How the first heartbeat was written; undefined before it. */
  get dialect(): Dialect | undefined {
    return this.#decoder.dialect;
  }
}

/** A heartbeat must claim the peer id that noise authenticated (docs/WIRE.md). */
function checkClaim(heartbeat: Heartbeat, peerId: PeerId): void {
  if (heartbeat.peerId === peerId) return;
  if (heartbeat.peerId === null) throw new PartnerdError("peer_id_mismatch", "the heartbeat has no peer id");
  throw new PartnerdError("peer_id_mismatch", "the heartbeat has another peer id than the connection", {
    cause: new Error(`got ${heartbeat.peerId}`),
  });
}
