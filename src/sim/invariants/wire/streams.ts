/**
 * Every stream and connection of ours has an owner: the registry, an open in progress, or a desired partner. Streams expire if and
 * only if their peer is silent.
 */
import { WAKES_RECOVER_MS } from "../../daemon/daemon-lifecycle.ts";
import type { SimConnection } from "../../network/connection.ts";
import type { SimPartnerStream } from "../../network/stream.ts";
import { atTimes, type Invariant, outboundStreams, type Scene } from "../invariant.ts";

/** An opener must register its stream or close it within this time. */
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
          scene.violated("far-end-closed", `the far end has closed our stream to ${peerId}, but we still hold it open`);
        if (daemon.reconciler.progress(peerId).opening || daemon.streams.actual(peerId).outbound !== null) continue;
        const sinceMs = strays.get(stream) ?? scene.awakeMs();
        stillStray.set(stream, sinceMs);
        if (scene.awakeMs() - sinceMs > STRAY_MS)
          scene.violated("no-stream-without-owner", `an outbound stream to ${peerId} is open but not in the registry`);
      }
      strays = stillStray;
      for (const [peerId, { length }] of Map.groupBy(ours, ({ peerId }) => peerId))
        if (length > 1) scene.violated("one-outbound-stream", `${length} outbound streams to ${peerId} are open`);
    }),
  };
}

/** A connection that we dialled serves a partner, and is closed once its peer no longer is one. */
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
          scene.violated(
            "connections-have-a-purpose",
            `we dialled ${peerId}, which is not a partner, and have kept the connection open`,
          );
      }
      idle = stillIdle;
    }),
  };
}

/** A lease, plus the longest time between two heartbeats, plus round trips. */
const HEALTHY_FOR_MS = 15_000;
/** A lease, plus another if a reply is in flight, plus a diff in case a wake was lost. */
const SILENT_STREAM_ENDS_MS = 25_000;

/** A stream expires only if the peer or the network is silent, never because our own process stalled. */
export function healthyStreamsLive(scene: Scene): Invariant {
  return {
    observed(event) {
      if (event.type !== "StreamClosed" || event.reason !== "expired") return;
      const { peerId, direction } = event;
      const peer = scene.peer(peerId);
      if (peer === undefined || scene.awakeMs() - peer.wellSinceMs < HEALTHY_FOR_MS) return;
      if (direction === "inbound" && !peer.isStreaming) return;
      scene.violated(
        "healthy-streams-live",
        `the ${direction} stream of ${peerId} expired although the peer and the network were healthy`,
      );
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
          scene.violated(
            "silent-streams-end",
            `${peerId} has been silent for ${SILENT_STREAM_ENDS_MS} ms, but its stream is open`,
          );
      }
    }),
  };
}
