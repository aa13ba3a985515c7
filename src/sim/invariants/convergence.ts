/** Once the world is well, actual equals desired within a stated time, and then nothing moves but heartbeats. */
import type { PeerId } from "../../base/ids.ts";
import { PARTNER_PROTOCOL } from "../../p2p/constants.ts";
import type { Invariant, Running, Scene } from "./invariant.ts";

/** The longest backoff (60 s), or the longest floor, one open that runs into its deadline, and a diff. */
export const CONVERGED_WITHIN_MS = 80_000;
/** Ten rounds of the full diff. */
export const SILENT_FOR_MS = 61_000;

export function convergence(scene: Scene): Invariant {
  let convergedByMs = Number.POSITIVE_INFINITY;
  let loud: string | undefined;

  return {
    healed() {
      convergedByMs = scene.nowMs() + CONVERGED_WITHIN_MS;
    },
    stepped() {
      if (scene.nowMs() < convergedByMs) return;
      convergedByMs = Number.POSITIVE_INFINITY;
      actualIsDesired();
      loud = "converged";
    },
    acted(peerId, action) {
      if (loud !== undefined && action.kind !== "renew") moved(`${action.kind} of ${peerId} (${action.why})`);
    },
    logged({ seq, event }) {
      if (loud !== undefined) moved(`the log got #${seq} ${event.type}`);
    },
    committed() {
      if (loud !== undefined) moved("something was written to the database");
    },
    finished() {
      if (loud === undefined) return;
      actualIsDesired();
    },
  };

  function moved(what: string): void {
    scene.violated("silence", `nothing was left to do, and yet: ${what}`);
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
        if (cannot || peer === undefined || peerId === scene.self || !peer.listensAt(desired.address)) continue;
        if (outbound === null) scene.violated("convergence", `${peerId} is ${relation}, and no outbound stream stands`);
        else if (!standsAtBothEnds(daemon, peerId))
          scene.violated("convergence", `the stream to ${peerId} stands here, and not at the far end`);
      } else {
        if (outbound !== null || inbound !== null) scene.violated("convergence", `${peerId} is ${relation}, and a stream stands`);
        if (desired.standing === "blacklisted" && connected)
          scene.violated("convergence", `${peerId} is blacklisted and connected`);
      }
    }
    for (const peerId of daemon.streams.peers()) {
      if (daemon.store.get(peerId) === undefined && daemon.streams.actual(peerId).outbound !== null) {
        scene.violated("convergence", `an outbound stream to ${peerId} stands, of whom the log knows nothing`);
      }
    }
  }
}

/** Whether the far end, too, holds a partner stream that we opened. */
function standsAtBothEnds(daemon: Running, peerId: PeerId): boolean {
  return daemon.node
    .connections()
    .some(
      (connection) =>
        connection.remotePeer === peerId &&
        connection.streams.some(
          (stream) =>
            stream.protocol === PARTNER_PROTOCOL && stream.direction === "outbound" && stream.otherEnd?.status === "open",
        ),
    );
}
