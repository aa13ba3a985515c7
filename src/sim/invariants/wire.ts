/** What stands on the wire is what the registry says and the log wants: nothing more, nothing that lingers, nothing killed in health. */

import type { PeerId } from "../../base/ids.ts";
import type { DesiredPeer, StreamClosed } from "../../events/types.ts";
import { PARTNER_PROTOCOL } from "../../p2p/constants.ts";
import type { SimConnection } from "../network/connection.ts";
import type { SimPartnerStream } from "../network/stream.ts";
import type { Invariant, Running, Scene } from "./invariant.ts";

/** DESIGN: no stream to a peer that is not desired outlives a second. */
const UNDESIRED_MS = 1_000;
/** Where wakes get lost, the periodic diff (every 5 s ± 20 %) has to find it. */
const DIFF_MS = 7_000;
/** A lease, the longest time between two heartbeats, and the round trips. */
const HEALTHY_FOR_MS = 15_000;
/** A lease, one more that an answer under way gave it, and a diff where a wake was lost. */
const SILENT_FOR_MS = 25_000;
/** To look at every stream at every step would take longer than the step. */
const LOOK_EVERY_MS = 2_000;

export function wire(scene: Scene): Invariant {
  let strays = new Map<SimPartnerStream, number>();
  let idle = new Map<SimConnection, number>();
  let nextLookMs = 0;
  return {
    started(daemon) {
      for (const peer of daemon.store.list()) if (peer.standing !== "partner") mustBeGone(peer);
    },
    logged(logged) {
      const { event, supersededPeerId } = logged;
      if (event.type !== "PeerDesired" && event.type !== "PeerRemoved") return;
      for (const peerId of [event.peerId, supersededPeerId]) {
        const peer = peerId === null ? undefined : scene.daemon?.store.get(peerId);
        if (peer !== undefined && peer.standing !== "partner") mustBeGone(peer);
      }
    },
    observed(event) {
      if (event.type === "StreamOpened") opened(event.peerId, event.direction);
      if (event.type === "StreamClosed" && event.reason === "expired") expired(event);
    },
    ended() {
      strays = new Map();
      idle = new Map();
    },
    stepped() {
      if (scene.daemon === undefined || scene.nowMs() < nextLookMs) return;
      nextLookMs = scene.nowMs() + LOOK_EVERY_MS;
      everyStreamIsOwned(scene.daemon);
      silentStreamsEnd(scene.daemon);
      connectionsHaveAPurpose(scene.daemon);
    },
  };

  /** From now on, until the log says otherwise: at its deadline, and at every later one that a newer event sets. */
  function mustBeGone(peer: DesiredPeer): void {
    scene.within(scene.wakesAreSafe ? UNDESIRED_MS : DIFF_MS, "undesired-streams-close", () => {
      const { daemon } = scene;
      const now = daemon?.store.get(peer.peerId);
      if (daemon === undefined || now === undefined || now.generation !== peer.generation) return undefined;
      const { outbound, inbound, connected } = daemon.streams.actual(peer.peerId);
      if (outbound !== null) return `an outbound stream to ${peer.peerId} stands although it is ${now.relation}`;
      if (inbound !== null) return `an inbound stream of ${peer.peerId} stands although it is ${now.relation}`;
      if (now.standing === "blacklisted" && connected) return `${peer.peerId} is blacklisted and connected`;
      return undefined;
    });
  }

  function opened(peerId: PeerId, direction: string): void {
    const desired = scene.daemon?.store.get(peerId);
    // Who is not told that the peer is revoked meanwhile finishes what he began; the diff ends it.
    if (direction === "outbound" && desired?.standing !== "partner" && scene.wakesAreSafe) {
      scene.violated(
        "revoked-stay-closed",
        `an outbound stream to ${peerId} was opened, which is ${desired?.relation ?? "unknown"}`,
      );
    }
    if (direction === "outbound" && scene.peer(peerId)?.partner.wasGreeted === false) {
      scene.violated(
        "established-means-alive",
        `the stream to ${peerId} counts as established before the far end had a heartbeat`,
      );
    }
    if (direction === "outbound" && peerId === scene.self)
      scene.violated("never-dials-itself", "a stream to ourselves was opened");
    if (direction === "inbound" && desired !== undefined && desired.standing !== "partner") {
      scene.violated("revoked-stay-closed", `an inbound stream of ${peerId} was admitted, which is ${desired.relation}`);
    }
  }

  /** Nothing but its own silence, or the network's, ends a stream as expired: least of all our own stall. */
  function expired({ peerId, direction }: StreamClosed): void {
    const peer = scene.peer(peerId);
    if (peer === undefined || scene.awakeMs() - peer.wellSinceMs < HEALTHY_FOR_MS) return;
    if (direction === "inbound" && peer.partner.own === undefined) return;
    scene.violated("healthy-streams-live", `the ${direction} stream of ${peerId} expired although nothing was wrong with it`);
  }

  /** A lease is 10 s; whoever is not heard for longer than any lease can be stretched is not there. */
  function silentStreamsEnd(daemon: Running): void {
    for (const { peerId, silentSinceMs, lagMs } of scene.peers()) {
      if (silentSinceMs === undefined || scene.awakeMs() - silentSinceMs < SILENT_FOR_MS + lagMs) continue;
      const { outbound, inbound } = daemon.streams.actual(peerId);
      if (outbound !== null || inbound !== null) {
        scene.violated("silent-streams-end", `${peerId} has said nothing for ${SILENT_FOR_MS} ms, and its stream stands`);
      }
    }
  }

  /** A connection that we dialled is for a partner; what is left of one that is none any more goes. */
  function connectionsHaveAPurpose(daemon: Running): void {
    const stillIdle = new Map<SimConnection, number>();
    for (const connection of daemon.node.connections()) {
      if (connection.direction === "inbound" || connection.status !== "open") continue;
      const { remotePeer: peerId } = connection;
      const wanted = daemon.store.get(peerId)?.standing === "partner" || daemon.reconciler.progress(peerId).opening;
      if (wanted) continue;
      const sinceMs = idle.get(connection) ?? scene.awakeMs();
      stillIdle.set(connection, sinceMs);
      if (scene.awakeMs() - sinceMs > DIFF_MS) {
        scene.violated("connections-have-a-purpose", `we dialled ${peerId}, which is nobody's partner, and keep the connection`);
      }
    }
    idle = stillIdle;
  }

  /** Who opens a stream has to register it or to give it back, and that soon. */
  function everyStreamIsOwned(daemon: Running): void {
    const outbound = new Map<PeerId, number>();
    const stillStray = new Map<SimPartnerStream, number>();
    for (const connection of daemon.node.connections()) {
      for (const stream of connection.streams) {
        if (stream.protocol !== PARTNER_PROTOCOL || stream.direction !== "outbound" || stream.status !== "open") continue;
        const peerId = connection.remotePeer;
        outbound.set(peerId, (outbound.get(peerId) ?? 0) + 1);
        if (stream.remoteWriteStatus === "closed") {
          scene.violated("far-end-closed", `the far end of our stream to ${peerId} has closed, and the stream stands`);
        }
        if (daemon.reconciler.progress(peerId).opening || daemon.streams.actual(peerId).outbound !== null) continue;
        const sinceMs = strays.get(stream) ?? scene.awakeMs();
        stillStray.set(stream, sinceMs);
        if (scene.awakeMs() - sinceMs > UNDESIRED_MS) {
          scene.violated("no-stream-without-owner", `an outbound stream to ${peerId} stands that the registry does not know`);
        }
      }
    }
    strays = stillStray;
    for (const [peerId, count] of outbound) {
      if (count > 1) scene.violated("one-outbound-stream", `${count} outbound streams to ${peerId} stand`);
    }
  }
}
