/** Streams expire if, and only if, their peer is silent. */
import { atTimes, type Invariant, type Scene } from "../invariant.ts";

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
