/** Every stream and connection of ours has an owner: the registry, an open in progress, or a desired partner. */
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
