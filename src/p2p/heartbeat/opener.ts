/** Outbound partner streams: dial, open, heartbeat, proof of life. Established streams are registered. */
import type { Clock } from "../../base/clock.ts";
import { CUT_REASONS, isFault, PartnerdError, type RemoteEnd, toPartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { abortable, pause } from "../../base/pause.ts";
import type { DesiredPeer } from "../../events/types.ts";
import type { Attempt } from "../../reconciler/ports.ts";
import { type Cuts, cutError } from "../budgets/cuts.ts";
import type { ConnectionIndex } from "../host/connection-index.ts";
import type { HostConnection } from "../host/host.ts";
import type { StreamRegistry } from "../registry/registry.ts";
import { encodeHeartbeat, type HeartbeatFormat, type SelfDescription } from "../wire/codec.ts";
import { PARTNER_PROTOCOL } from "../wire/constants.ts";
import type { Dialler } from "./dialler.ts";
import type { Liveness } from "./liveness.ts";
import { OpenAttempt, Try } from "./open-attempt.ts";
import { abortError, connectionLost, renewError, streamError } from "./open-errors.ts";
import { keyOf, PartnerStream } from "./partner-stream.ts";

export interface OpenerComponents {
  readonly clock: Clock;
  readonly dialler: Dialler;
  readonly self: SelfDescription;
  readonly heartbeat: HeartbeatFormat;
  readonly registry: StreamRegistry<PartnerStream>;
  readonly connections: ConnectionIndex;
  readonly cuts: Cuts;
  readonly liveness: Liveness;
}

const REMOTE_ENDS: readonly RemoteEnd[] = ["remote_closed", "reset", "connection_lost", ...CUT_REASONS];

export class HeartbeatOpener {
  readonly #components: OpenerComponents;
  readonly #attempts = new Map<PeerId, OpenAttempt>();
  readonly #disposed = new AbortController();

  constructor(components: OpenerComponents) {
    this.#components = components;
  }

  /** See PartnerStreams.open. */
  async open(peer: DesiredPeer, signal: AbortSignal, request: Attempt): Promise<void> {
    using attempt = new OpenAttempt(peer.peerId, signal, this.#disposed.signal);
    const older = this.#attempts.get(peer.peerId);
    this.#attempts.set(peer.peerId, attempt);
    try {
      // Wait until it has released its connection, or we might reuse that.
      older?.cancel(new PartnerdError("aborted", "a newer open replaced this one"));
      await older?.settled.promise;
      await this.#establish(peer, attempt, request);
    } catch (error) {
      attempt.giveBack(this.#components);
      throw attempt.signal.aborted && !isFault(error) ? abortError(attempt.signal) : toPartnerdError(error);
    } finally {
      if (this.#attempts.get(peer.peerId) === attempt) this.#attempts.delete(peer.peerId);
      attempt.settled.resolve();
    }
  }

  /** See PartnerStreams.renew. */
  async renew(peerId: PeerId, signal: AbortSignal): Promise<void> {
    const { registry, liveness, cuts } = this.#components;
    const stream = registry.get(keyOf("outbound", peerId));
    if (stream === undefined) throw this.#noStream(peerId);
    using attempt = new Try(signal, stream.ended);
    const wasFull = stream.isFull;
    try {
      attempt.signal.throwIfAborted();
      // A heartbeat that still waits is enough; more would pile up.
      if (!wasFull) stream.send(this.#heartbeat());
      await liveness.prove(stream.connection, attempt.signal);
      attempt.signal.throwIfAborted();
    } catch (error) {
      if (attempt.signal.aborted && !isFault(error)) throw abortError(attempt.signal);
      throw renewError(error, stream.connection, cuts.cutOf(stream.connection));
    }
    // Its muxer answers, so its window is full: its handler has stopped reading.
    if (wasFull && stream.isFull) {
      registry.close(keyOf("outbound", peerId), "unread", stream);
      throw new PartnerdError("stream_lost", "the peer is alive but no longer reads our heartbeats");
    }
    registry.renew(keyOf("outbound", peerId), stream);
  }

  /** Cancels the current open, which rejects with `reason`. */
  cancel(peerId: PeerId, reason: PartnerdError): void {
    this.#attempts.get(peerId)?.cancel(reason);
  }

  /** A connection that we dialled has opened. If its open has been aborted, the connection is closed. */
  dialled(connection: HostConnection, peerId: PeerId): void {
    const attempt = this.#attempts.get(peerId);
    if (attempt === undefined)
      connection.abort(new PartnerdError("aborted", "the open that dialled this connection was aborted"));
    else attempt.dialled.push(connection);
  }

  /** Rejects the current opens and all later ones. */
  dispose(): void {
    this.#disposed.abort(new PartnerdError("aborted", "the host is shutting down"));
  }

  async #establish(peer: DesiredPeer, attempt: OpenAttempt, request: Attempt): Promise<void> {
    const { clock, connections, cuts, dialler, liveness, registry } = this.#components;
    const { peerId } = peer;
    attempt.signal.throwIfAborted();
    const reusable = connections.of(peerId).find((connection) => !liveness.isSuspect(connection));
    const connection = reusable ?? (await dialler.dial(peer, attempt.signal));
    attempt.connection = connection;
    attempt.signal.throwIfAborted();
    let stream: PartnerStream;
    try {
      stream = await this.#openStream(connection, attempt);
      await stream.write(this.#heartbeat(), attempt.signal);
      // A far end that ends the stream in this time cancels the attempt.
      if (request.graceMs > 0) await pause(clock, request.graceMs, attempt.signal);
      await liveness.prove(connection, attempt.signal);
    } catch (error) {
      const cut = cuts.cutOf(connection);
      if (reusable !== undefined && connection.status !== "open") throw connectionLost(error, cut);
      throw streamError(error, PARTNER_PROTOCOL, connection, cut);
    }
    attempt.signal.throwIfAborted();
    if (!request.isCurrent()) throw new PartnerdError("aborted", "the desired state of the peer changed");
    // No await from here on, so these last checks hold until the stream is registered.
    stream.onRemoteEnd = (reason) => registry.close(keyOf("outbound", peerId), reason, stream);
    registry.register(keyOf("outbound", peerId), stream, peer.did, request);
    attempt.dropSuperseded(this.#components);
  }

  async #openStream(connection: HostConnection, attempt: OpenAttempt): Promise<PartnerStream> {
    const { signal } = attempt;
    const { cuts } = this.#components;
    const opening = connection.newStream(PARTNER_PROTOCOL, { signal });
    const opened = await abortable(opening, signal, (late) => late.abort(new PartnerdError("aborted", "the open was aborted")));
    const stream = new PartnerStream(opened, connection, cuts);
    attempt.stream = stream;
    const ended = (remoteEnd: RemoteEnd | undefined) => {
      const cut = cuts.cutOf(connection);
      if (cut !== undefined) return cutError(cut);
      const code = connection.status === "open" || attempt.dialled.includes(connection) ? "refused" : "stream_lost";
      return new PartnerdError(code, "the peer ended the stream before it was established", { details: { remoteEnd } });
    };
    stream.onRemoteEnd = (remoteEnd) => attempt.cancel(ended(remoteEnd));
    if (stream.ended.aborted) throw ended(stream.remoteEnd);
    // The reader never writes (docs/WIRE.md). If it does, the bytes are discarded and must not pile up.
    stream.read(() => {});
    return stream;
  }

  /** Tells how the previous stream ended. */
  #noStream(peerId: PeerId): PartnerdError {
    const { lastOutboundClose } = this.#components.registry.actual(PARTNER_PROTOCOL, peerId);
    const remoteEnd = REMOTE_ENDS.find((end) => end === lastOutboundClose);
    return new PartnerdError("stream_lost", `no outbound stream to peer ${peerId}`, { details: { remoteEnd } });
  }

  #heartbeat(): Uint8Array {
    const { self, clock, heartbeat } = this.#components;
    return encodeHeartbeat(self, clock.wallMs(), heartbeat.timestamp, heartbeat.fields);
  }
}
