/** Once all faults have ended, actual equals desired within a stated time, and then nothing happens but heartbeats. */
import type { PeerId } from "../../base/ids.ts";
import { type Invariant, type ObservedDaemon, onceConverged, outboundStreams, type Scene } from "./invariant.ts";

/** Ten rounds of the full diff. */
export const SILENT_FOR_MS = 61_000;

export function convergence(scene: Scene): Invariant {
  let hasConverged = false;

  return {
    ...onceConverged(scene, () => {
      actualIsDesired();
      // A stream that one end refuses is tried again for ever.
      hasConverged = scene.peers().every(({ isAtOdds }) => !isAtOdds);
    }),
    acted(peerId, action) {
      if (hasConverged && action.kind !== "renew") moved(`${action.kind} of ${peerId} (${action.why})`);
    },
    logged({ seq, event }) {
      if (hasConverged) moved(`#${seq} ${event.type} was appended to the log`);
    },
    committed() {
      if (hasConverged) moved("a write to the database");
    },
    finished() {
      if (hasConverged) actualIsDesired();
    },
  };

  function moved(what: string): void {
    scene.violated("silence", `unexpected activity after convergence: ${what}`);
  }

  function actualIsDesired(): void {
    const { daemon } = scene;
    if (daemon === undefined) {
      scene.violated("convergence", "the daemon is down");
      return;
    }
    for (const desired of daemon.store.list()) {
      const { peerId, relation } = desired;
      const { outbound, inbound, connected } = daemon.streams.actual(peerId);
      if (desired.standing === "partner") {
        const peer = scene.peer(peerId);
        const cannot = daemon.reconciler.progress(peerId).lastFailure?.code === "address_unsupported";
        if (cannot || peer === undefined || peer.isAtOdds || peerId === scene.self || !peer.listensAt(desired.address)) continue;
        if (outbound === null) scene.violated("convergence", `${peerId} is ${relation} but has no outbound stream`);
        else if (!isOpenAtBothEnds(daemon, peerId))
          scene.violated("convergence", `the stream to ${peerId} is open here but not at the far end`);
      } else {
        if (outbound !== null || inbound !== null) scene.violated("convergence", `${peerId} is ${relation} but has a stream`);
        if (desired.standing === "blacklisted" && connected)
          scene.violated("convergence", `${peerId} is blacklisted but still connected`);
      }
    }
    for (const peerId of daemon.streams.peers()) {
      if (daemon.store.get(peerId) === undefined && daemon.streams.actual(peerId).outbound !== null) {
        scene.violated("convergence", `an outbound stream to ${peerId} is open, but the log does not record it`);
      }
    }
  }
}

/** Whether our outbound stream to `peer` is also open at the far end. */
function isOpenAtBothEnds(daemon: ObservedDaemon, peer: PeerId): boolean {
  return outboundStreams(daemon).some(({ peerId, stream }) => peerId === peer && stream.otherEnd?.status === "open");
}
