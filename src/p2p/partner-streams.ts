/** PartnerStreams on libp2p: connects opener, handler, registry and connections. */
import type { Clock, Random } from "../base/clock.ts";
import { PartnerdError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { RecentMap } from "../base/recent-map.ts";
import type { DesiredPeer, Direction } from "../events/types.ts";
import { DEFAULT_RECONCILER_OPTIONS } from "../reconciler/options.ts";
import type { ActualPeer, Attempt, CloseRequest, PartnerStreams } from "../reconciler/ports.ts";
import type { Cuts } from "./budgets/cuts.ts";
import type { DialPlanner } from "./dial/dial-planner.ts";
import { Dialler, type HandshakeFailures } from "./heartbeat/dialler.ts";
import { answerChallenge, answerPings } from "./heartbeat/echo.ts";
import { type ChallengeRule, HeartbeatHandler } from "./heartbeat/handler.ts";
import { Liveness } from "./heartbeat/liveness.ts";
import { HeartbeatOpener } from "./heartbeat/opener.ts";
import { keyOf, type PartnerStream } from "./heartbeat/partner-stream.ts";
import { ConnectionIndex, closeBounded, peerIdOf } from "./host/connection-index.ts";
import type { Host, HostConnection, HostStream, HostStreamHandler } from "./host/host.ts";
import { identify } from "./identify/identify.ts";
import type { IdentifiedProgram } from "./identify/identify-message.ts";
import type { AdmissionPolicy } from "./registry/admission-policy.ts";
import { LeaseClock } from "./registry/lease-clock.ts";
import { type PeerSnapshot, type StreamObserver, StreamRegistry } from "./registry/registry.ts";
import type { HeartbeatFormat, SelfDescription } from "./wire/codec.ts";
import {
  CHALLENGE_TIMEOUT_MS,
  FIRST_HEARTBEAT_TIMEOUT_MS,
  MAX_REMEMBERED_PEERS,
  MAX_STREAMS_PER_PROTOCOL,
  PARTNER_PROTOCOL,
  PING_PROTOCOL,
  PROBE_PROTOCOL,
} from "./wire/constants.ts";

export interface PartnerStreamsComponents {
  /** Not started yet, so that no peer connects before the protocols are registered. The caller starts and stops it. */
  readonly node: Host;
  readonly clock: Clock;
  readonly random: Random;
  readonly self: SelfDescription;
  readonly admission: AdmissionPolicy;
  /** Decides which addresses are dialled. */
  readonly dialPlanner: DialPlanner;
  readonly observer: StreamObserver;
  readonly cuts: Cuts;
  /** Of the real host. */
  readonly handshakes?: HandshakeFailures | undefined;
  readonly options?: {
    /** Time limit of one open, which the addresses of a peer share; default 5 s. */
    readonly openTimeoutMs?: number;
    /** Format of our heartbeats; default Unix seconds, as in Go programs, and the peer id in both spellings. */
    readonly heartbeat?: HeartbeatFormat;
    /** Whether a peer without the challenge's protocol may stream to us; default `require`, which refuses it. */
    readonly challenge?: ChallengeRule;
    /** How long an inbound stream may stay open without a heartbeat; default 10 s. */
    readonly firstHeartbeatTimeoutMs?: number;
    /** Time limit of the bandwidth challenge; default 5 s. */
    readonly challengeTimeoutMs?: number;
  };
}

/** Registers the protocols; inbound streams are accepted once the host listens. */
export async function createPartnerStreams(components: PartnerStreamsComponents): Promise<Libp2pPartnerStreams> {
  const streams = new Libp2pPartnerStreams(components);
  await streams.start();
  return streams;
}

export class Libp2pPartnerStreams implements PartnerStreams {
  readonly #components: PartnerStreamsComponents;
  readonly #leaseClock: LeaseClock;
  readonly #registry: StreamRegistry<PartnerStream>;
  readonly #connections: ConnectionIndex;
  readonly #liveness: Liveness;
  readonly #opener: HeartbeatOpener;
  readonly #handler: HeartbeatHandler;
  readonly #lastSignOfLifeMs = new RecentMap<PeerId, number>(MAX_REMEMBERED_PEERS);
  #disposed = false;

  constructor(components: PartnerStreamsComponents) {
    const { node: host, clock, random, observer, options = {} } = components;
    this.#components = components;
    this.#leaseClock = new LeaseClock(clock);
    const registry = new StreamRegistry<PartnerStream>({ clock, random, leaseTime: this.#leaseClock, observer });
    const liveness = new Liveness((connection) => this.#signOfLife(peerIdOf(connection.remotePeer)));
    const connections = new ConnectionIndex(host, (connection, peerId) => this.#connectionOpened(connection, peerId));
    this.#registry = registry;
    this.#liveness = liveness;
    this.#connections = connections;
    const {
      heartbeat = { timestamp: "unix", fields: "both" },
      challenge = "require",
      openTimeoutMs = DEFAULT_RECONCILER_OPTIONS.openTimeoutMs,
    } = options;
    const dialler = new Dialler({ ...components, host, openTimeoutMs });
    this.#opener = new HeartbeatOpener({ ...components, dialler, heartbeat, registry, connections, liveness });
    this.#handler = new HeartbeatHandler({
      ...components,
      registry,
      challengeRule: challenge,
      firstHeartbeatTimeoutMs: options.firstHeartbeatTimeoutMs ?? FIRST_HEARTBEAT_TIMEOUT_MS,
      challengeTimeoutMs: options.challengeTimeoutMs ?? CHALLENGE_TIMEOUT_MS,
      onAdmitted: (peerId) => this.#signOfLife(peerId),
    });
  }

  /** Called once, by `createPartnerStreams`. */
  async start(): Promise<void> {
    const { node, clock, observer } = this.#components;
    const limits = { maxInboundStreams: MAX_STREAMS_PER_PROTOCOL, maxOutboundStreams: MAX_STREAMS_PER_PROTOCOL };
    const served =
      (answer: typeof answerChallenge): HostStreamHandler =>
      (stream, { remotePeer }) =>
        answer(stream, clock, (error) => observer.faulted(peerIdOf(remotePeer), error));
    await node.handle(PROBE_PROTOCOL, served(answerChallenge), limits);
    await node.handle(PING_PROTOCOL, served(answerPings), limits);
    await node.handle(PARTNER_PROTOCOL, this.#handler.handle, limits);
  }

  actual(peerId: PeerId): ActualPeer {
    return {
      peerId,
      ...this.#registry.actual(PARTNER_PROTOCOL, peerId),
      connected: this.#connections.has(peerId),
      dialled: this.#connections.hasDialled(peerId),
      lastSignOfLifeMs: this.#lastSignOfLifeMs.get(peerId) ?? null,
    };
  }

  peers(): readonly PeerId[] {
    return this.#registry.peers(PARTNER_PROTOCOL);
  }

  /** The registered stream, as the host gave it: by it, an observer tells it from those that are not. */
  registered(peerId: PeerId, direction: Direction): HostStream | undefined {
    return this.#registry.get(keyOf(direction, peerId))?.hostStream;
  }

  /** Every peer with a stream, for status. Wall-clock ms. */
  snapshot(): Iterable<PeerSnapshot> {
    return this.#registry.snapshot(PARTNER_PROTOCOL);
  }

  /** How many connections are open, to any peer. */
  connectionCount(): number {
    return this.#connections.count;
  }

  open(peer: DesiredPeer, signal: AbortSignal, attempt: Attempt): Promise<void> {
    return this.#opener.open(peer, signal, attempt);
  }

  renew(peerId: PeerId, signal: AbortSignal): Promise<void> {
    return this.#opener.renew(peerId, signal);
  }

  close(peerId: PeerId, request: CloseRequest): void {
    const { direction, reason } = request;
    if (direction !== "inbound") {
      this.#opener.cancel(peerId, new PartnerdError("aborted", `the open was cancelled: ${reason}`));
      this.#registry.close(keyOf("outbound", peerId), reason);
    }
    if (direction !== "outbound") this.#registry.close(keyOf("inbound", peerId), reason);
    if (direction !== "both") return;
    this.#handler.cancelUnproven(peerId);
    this.#lastSignOfLifeMs.delete(peerId);
    this.#closeConnections(peerId, request.dropConnections);
  }

  /** Asks which program the peer runs, over an open connection. Rejects as `identify` does, or with `stream_lost` if there is none. */
  async identify(peerId: PeerId, signal: AbortSignal): Promise<IdentifiedProgram> {
    const connection = this.#connections.of(peerId).find((open) => !this.#liveness.isSuspect(open));
    if (connection === undefined) throw new PartnerdError("stream_lost", `no connection to peer ${peerId}`);
    return identify(connection, this.#components.clock, signal);
  }

  /** Closes every stream as `shutdown`, and stops listening and all timers. Connections are left to the host. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#opener.dispose();
    for (const peerId of this.peers()) {
      for (const direction of ["outbound", "inbound"] as const) this.#registry.close(keyOf(direction, peerId), "shutdown");
    }
    this.#handler.dispose();
    this.#connections[Symbol.dispose]();
    this.#leaseClock[Symbol.dispose]();
    await this.#components.node.unhandle([PARTNER_PROTOCOL, PROBE_PROTOCOL, PING_PROTOCOL]);
  }

  /** Closes the connections that we dialled and no longer need; the peer closes its own. With `drop`, aborts all. */
  #closeConnections(peerId: PeerId, drop: boolean): void {
    // A connection that closes gracefully may still take a second.
    const connections = drop ? this.#connections.all(peerId) : this.#connections.of(peerId);
    for (const connection of connections) {
      if (drop || this.#liveness.isSuspect(connection))
        connection.abort(new PartnerdError("aborted", "the connection is no longer needed"));
      // Streams still open on a connection that we dialled have no user left.
      else if (connection.direction === "outbound") void closeBounded(connection, this.#components.clock);
    }
  }

  #connectionOpened(connection: HostConnection, peerId: PeerId): void {
    if (connection.direction === "outbound") this.#opener.dialled(connection, peerId);
    else this.#signOfLife(peerId);
  }

  /** The peer has shown life on its own initiative, which can end a backoff early. */
  #signOfLife(peerId: PeerId): void {
    const { admission, clock, observer } = this.#components;
    if (this.#disposed || admission.verdictOn(peerId) !== "ok") return;
    this.#lastSignOfLifeMs.set(peerId, clock.monotonicMs());
    observer.wake(peerId);
  }
}
