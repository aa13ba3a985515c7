/** Streams are opened only to desired partners, and are closed soon after a peer stops being one. */
import type { PeerId } from "../../../base/ids.ts";
import type { DesiredPeer } from "../../../events/types.ts";
import { WAKES_RECOVER_MS } from "../../daemon/daemon-lifecycle.ts";
import type { Invariant, Scene } from "../invariant.ts";

/** A stream to an undesired peer must close within a second. */
const UNDESIRED_MS = 1_000;

export function undesiredStreamsClose(scene: Scene): Invariant {
  return {
    started(daemon) {
      for (const peer of daemon.store.list()) if (peer.standing !== "partner") mustBeGone(peer);
    },
    logged({ event, supersededPeerId }) {
      if (event.type !== "PeerDesired" && event.type !== "PeerRemoved") return;
      for (const peerId of [event.peerId, supersededPeerId]) {
        const peer = peerId === null ? undefined : scene.daemon?.store.get(peerId);
        if (peer !== undefined && peer.standing !== "partner") mustBeGone(peer);
      }
    },
  };

  /** Requires the streams of `peer` to be closed by the deadline. Each newer event sets a deadline of its own. */
  function mustBeGone(peer: DesiredPeer): void {
    scene.within(scene.wakesAreSafe ? UNDESIRED_MS : WAKES_RECOVER_MS, "undesired-streams-close", () => {
      const { daemon } = scene;
      const now = daemon?.store.get(peer.peerId);
      if (daemon === undefined || now === undefined || now.generation !== peer.generation) return undefined;
      const { outbound, inbound, connected } = daemon.streams.actual(peer.peerId);
      if (outbound !== null) return `an outbound stream to ${peer.peerId} is open although it is ${now.relation}`;
      if (inbound !== null) return `an inbound stream from ${peer.peerId} is open although it is ${now.relation}`;
      if (now.standing === "blacklisted" && connected) return `${peer.peerId} is blacklisted but still connected`;
      return undefined;
    });
  }
}

export function revokedStayClosed(scene: Scene): Invariant {
  return {
    observed(event) {
      if (event.type !== "StreamOpened") return;
      if (event.direction === "outbound") outbound(event.peerId);
      else inbound(event.peerId);
    },
  };

  function outbound(peerId: PeerId): void {
    const { daemon } = scene;
    const desired = daemon?.store.get(peerId);
    // If the wake for its revocation was lost, an open completes, and the diff closes it. A draining daemon still completes opens.
    if (daemon !== undefined && desired?.standing !== "partner" && scene.wakesAreSafe)
      scene.violated("revoked-stay-closed", `an outbound stream to ${peerId} was opened, but is ${desired?.relation}`);
    if (scene.peer(peerId)?.wasGreeted === false)
      scene.violated(
        "established-means-alive",
        `the stream to ${peerId} was established before the far end received a heartbeat`,
      );
    if (peerId === scene.self) scene.violated("never-dials-itself", "a stream to ourselves was opened");
  }

  function inbound(peerId: PeerId): void {
    const desired = scene.daemon?.store.get(peerId);
    if (desired !== undefined && desired.standing !== "partner")
      scene.violated("revoked-stay-closed", `an inbound stream from ${peerId} was admitted, but it is ${desired.relation}`);
  }
}
