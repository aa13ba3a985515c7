/**
 * Every stream and connection of ours has an owner: the registry, an open in progress, or a desired partner. Streams expire if, and only
 * if, their peer is silent.
 */
import { WAKES_RECOVER_MS } from "../../daemon/daemon-lifecycle.ts";
import type { SimConnection } from "../../network/connection.ts";
import type { SimPartnerStream } from "../../network/stream.ts";
import { atTimes, type Invariant, outboundStreams, type Scene } from "../invariant.ts";

/** An opener has to register its stream or give it back within this time. */
const STRAY_MS = 1_000;

export function streamsHaveOwners(scene: Scene): Invariant {
  let strays = new Map<SimPartnerStream, number>();
  return {
    ended() {
      strays = new Map();
    },
    stepped: atTimes(scene, (daemon) => {
      const ours = outboundStreams(daemon);
      const stillStray = new Map<SimPartnerStream, number>();
      for (const { peerId, stream } of ours) {
        if (stream.remoteWriteStatus === "closed")
          scene.violated("far-end-closed", `the far end of our stream to ${peerId} has closed, and the stream is open`);
        if (daemon.reconciler.progress(peerId).opening || daemon.streams.actual(peerId).outbound !== null) continue;
        const sinceMs = strays.get(stream) ?? scene.awakeMs();
        stillStray.set(stream, sinceMs);
        if (scene.awakeMs() - sinceMs > STRAY_MS)
          scene.violated("no-stream-without-owner", `an outbound stream to ${peerId} is open that the registry does not know`);
      }
      strays = stillStray;
      for (const [peerId, { length }] of Map.groupBy(ours, ({ peerId }) => peerId))
        if (length > 1) scene.violated("one-outbound-stream", `${length} outbound streams to ${peerId} are open`);
    }),
  };
}

/** A connection that we dialled is for a partner, and closes when its peer is none any more. */
export function connectionsHaveAPurpose(scene: Scene): Invariant {
  let idle = new Map<SimConnection, number>();
  return {
    ended() {
      idle = new Map();
    },
    stepped: atTimes(scene, (daemon) => {
      const stillIdle = new Map<SimConnection, number>();
      for (const connection of daemon.node.getConnections()) {
        if (connection.direction === "inbound" || connection.status !== "open") continue;
        const { remotePeer: peerId } = connection;
        const wanted = daemon.store.get(peerId)?.standing === "partner" || daemon.reconciler.progress(peerId).opening;
        if (wanted) continue;
        const sinceMs = idle.get(connection) ?? scene.awakeMs();
        stillIdle.set(connection, sinceMs);
        if (scene.awakeMs() - sinceMs > WAKES_RECOVER_MS)
          scene.violated("connections-have-a-purpose", `we dialled ${peerId}, which is no partner, and keep the connection`);
      }
      idle = stillIdle;
    }),
  };
}

/** A lease, the longest time between two heartbeats, and the round trips. */
const HEALTHY_FOR_MS = 15_000;
/** A lease, one more from an answer under way, and a diff if a wake was lost. */
const SILENT_STREAM_ENDS_MS = 25_000;

/** Only the peer's own silence, or the network's, expires a stream; our own stall does not. */
export function healthyStreamsLive(scene: Scene): Invariant {
  return {
    observed(event) {
      if (event.type !== "StreamClosed" || event.reason !== "expired") return;
      const { peerId, direction } = event;
      const peer = scene.peer(peerId);
      if (peer === undefined || scene.awakeMs() - peer.wellSinceMs < HEALTHY_FOR_MS) return;
      if (direction === "inbound" && peer.partner.outgoing.stream === undefined) return;
      scene.violated("healthy-streams-live", `the ${direction} stream of ${peerId} expired although nothing was wrong with it`);
    },
  };
}

export function silentStreamsEnd(scene: Scene): Invariant {
  return {
    stepped: atTimes(scene, (daemon) => {
      for (const { peerId, silentSinceMs, lagMs } of scene.peers()) {
        if (silentSinceMs === undefined || scene.awakeMs() - silentSinceMs < SILENT_STREAM_ENDS_MS + lagMs) continue;
        const { outbound, inbound } = daemon.streams.actual(peerId);
        if (outbound !== null || inbound !== null)
          scene.violated("silent-streams-end", `${peerId} has said nothing for ${SILENT_STREAM_ENDS_MS} ms, its stream is open`);
      }
    }),
  };
}
